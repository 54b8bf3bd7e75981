import { app } from "@azure/functions";
import { record } from "../record.js";

app.timer("tick", { schedule: "%TICK%", handler: (timer) => record("tick", { timer }) });
app.timer("yearly", { schedule: "0 0 0 1 1 *", handler: (timer) => record("yearly", { timer }) });
