// The worker in which models speak: its module is fetched when somebody listens for the first time.
import start, { Models } from "./listen.js";
import { serve } from "./serving.js";

const open = async () => {
  await start();
  return new Models();
};

serve(open, () => ({}));
