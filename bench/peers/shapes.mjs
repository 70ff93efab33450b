/** Shapes of matrix products: rows, depth, columns. */
export const SHAPES = [
  [512, 576, 1536],
  [512, 1536, 576],
  [128, 576, 576],
  [512, 384, 1024],
];
