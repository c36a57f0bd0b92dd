// The official JavaScript clients against the emulator.

import { end } from "./checks.mjs";
import { fill } from "./dataset.mjs";
import { keys } from "./keys.mjs";
import { secrets } from "./secrets.mjs";
import { settings } from "./settings.mjs";
import { snapshots } from "./snapshots.mjs";

await settings();
await snapshots();
await secrets();
await keys();
await fill();
end();
