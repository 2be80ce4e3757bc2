/** esbuild gives a style sheet as text; only the widget's bundle imports one. */
declare module '*.css' {
  const text: string;
  export default text;
}
