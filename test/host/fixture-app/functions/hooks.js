import { app } from "@azure/functions";
import { record } from "../record.js";

app.hook.appStart(() => record("app-started"));
app.hook.appTerminate(() => record("app-terminated"));
app.hook.preInvocation((context) => {
  context.hookData.function = context.invocationContext.functionName;
});
app.hook.postInvocation((context) => {
  if (context.hookData.function === "throws") record("saw-failure", { message: context.error?.message });
});
