/** Packages with MLServer's own runtimes, none of which comes with Millrace, and what to do instead of using them. */
const PACKAGES: Readonly<Record<string, { readonly framework: string; readonly instead: string }>> = {
  mlserver_sklearn: {
    framework: 'scikit-learn',
    instead: 'export the model to ONNX (skl2onnx) and set implementation to "./model.onnx"',
  },
  mlserver_xgboost: {
    framework: 'XGBoost',
    instead: 'export the model to ONNX (onnxmltools) and set implementation to "./model.onnx"',
  },
  mlserver_lightgbm: {
    framework: 'LightGBM',
    instead: 'export the model to ONNX (onnxmltools) and set implementation to "./model.onnx"',
  },
  mlserver_catboost: {
    framework: 'CatBoost',
    instead: 'export the model to ONNX (save_model with format="onnx") and set implementation to "./model.onnx"',
  },
  mlserver_mlflow: {
    framework: 'MLflow',
    instead: 'log the model in ONNX flavour and set implementation to "./model.onnx"',
  },
  mlserver_mllib: {
    framework: 'Spark MLlib',
    instead: 'export the model to ONNX (onnxmltools) and set implementation to "./model.onnx"',
  },
  mlserver_huggingface: {
    framework: 'Hugging Face pipelines',
    instead: 'export the model to ONNX (optimum-cli), or call the pipeline in a runtime of your own',
  },
  mlserver_onnx: { framework: 'ONNX', instead: 'set implementation to the file, as "./model.onnx"' },
  mlserver_alibi_explain: { framework: 'Alibi Explain', instead: 'call the explainer in a runtime of your own' },
  mlserver_alibi_detect: { framework: 'Alibi Detect', instead: 'call the detector in a runtime of your own' },
};

/**
 * Why an implementation that is one of MLServer's own runtimes cannot be used without an environment that has it; undefined
 * where it is none.
 */
export function builtinRefusal(implementation: string): string | undefined {
  const name = implementation.split('.')[0] ?? '';
  const known = Object.hasOwn(PACKAGES, name) ? PACKAGES[name] : undefined;
  if (known === undefined) return undefined;
  return `"${implementation}" is MLServer's own runtime for ${known.framework}, which does not come with Millrace: ${known.instead}; or name a Python environment that has the package ${name} and mlserver in parameters.environment_path (or MILLRACE_PYTHON)`;
}
