/** A method of one's own: `npx siskin eval --press examples/press.mjs` measures it beside others. */
import { columnMeans, definePress, eachHead, meanOf, rowNorms, whole } from "siskin/press";

export default definePress({
  name: "attendedvalues",
  paper: "An example: what the text's last rows read, by attention and by the size of the values",
  options: {
    /** Last rows whose attention counts. */
    windowSize: whole(32),
  },
  needs: ({ windowSize }) => ({ queryRows: windowSize }),
  score: (layer, { windowSize }) =>
    eachHead(layer, (head) => {
      const norms = rowNorms(layer.values(head), layer.headSize);
      const weights = layer.attention(head, Math.min(windowSize, layer.queryRows));
      const means = meanOf(weights.map((rows) => columnMeans(rows, norms.length)));
      return means.map((weight, entry) => weight * norms[entry]);
    }),
});
