/** Text files, which the bundler takes into the bundle as strings. */
declare module "*.txt" {
  const text: string;
  export default text;
}
