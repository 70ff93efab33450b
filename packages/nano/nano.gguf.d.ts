/** The model's file, for bundlers that are told to give its URL. */
declare const url: string;
export default url;
