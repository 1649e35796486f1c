/* A program with a broker in it, which test_embed.py drives and kills: it opens what it is told,
 * and takes lines. Each is a job, whose id it says once it is stored; "work" begins to run them,
 * "end" closes.
 */
#include "echo.h"
#include "stint.h"
#include "stint_embed.h"

#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 60000 };

struct host {
    struct stint_embed *embed;
    struct stint_client *client;
    struct hands hands;
};

static bool
begin(struct host *h, const char *where)
{
    struct stint_embed_options options = {.grace_ms = 1, .store_bytes = 256 << 20};
    if (stint_embed_open(where, &options, &h->embed) != STINT_OK) {
        (void)fprintf(stderr, "%s\n", stint_embed_open_error());
        return false;
    }
    struct stint_client_options client = {.endpoint = stint_embed_endpoint(h->embed)};
    printf("open %s\n", client.endpoint);
    return stint_client_new(&client, &h->client) == STINT_OK;
}

static bool
work_too(struct host *h)
{
    printf("working\n");
    return begin_work(&h->hands, stint_embed_endpoint(h->embed));
}

static bool
submit(struct host *h, const char *line)
{
    struct stint_job job = STINT_JOB_INIT;
    struct stint_id id;
    char text[STINT_ID_TEXT_BYTES];
    job.payload = line;
    job.payload_bytes = strlen(line);
    if (stint_submit(h->client, &job, 1, &id, TIMEOUT_MS) != STINT_OK) {
        (void)fprintf(stderr, "%s\n", stint_client_error(h->client));
        return false;
    }
    printf("ok %s\n", stint_id_format(&id, text));
    return true;
}

static void
end(struct host *h)
{
    if (h->hands.worker)
        (void)end_work(&h->hands);
    stint_client_destroy(&h->client);
    stint_embed_close(&h->embed);
}

int
main(int argc, char **argv)
{
    static struct host host;
    char line[256];
    if (argc != 2 || !begin(&host, argv[1]))
        return 3;
    while (fflush(stdout) == 0 && fgets(line, sizeof line, stdin) && strcmp(line, "end\n") != 0)
        if (!(strcmp(line, "work\n") == 0 ? work_too(&host) : submit(&host, line)))
            return 4;
    end(&host);
    return 0;
}
