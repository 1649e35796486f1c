#include "cli.h"
static struct poptOption no_options[] = {POPT_TABLEEND};
static int run(struct cli *c, const char **a){(void)a; return cli_usage(c, "soon");}
const struct verb verb_bench = {"bench", "[OPTION...]", "measure the broker", no_options, run};
