/* The scenarios of what comes with an end, and of what runs write; see scenarios.h. */
#include "scenarios.h"

static void
end(struct world *w, uint64_t number, const struct job_spec *jobs, uint32_t count, bool beyond)
{
    struct pack_buffer b = {0}, bytes = {0};
    struct stint_id other = job(2);
    for (uint32_t i = 0; i < count; i++)
        message_put_job(&bytes, &jobs[i]);
    message_put_joint(&b,
        &(struct joint){.jobs = {bytes.data, bytes.used},
            .jobs_count = count,
            .ids = &other,
            .ids_count = 1,
            .flags = beyond ? JOINT_BEYOND : 0});
    struct outcome o = {.id = job(1),
        .attempt = 1,
        .type = OUTCOME_SUCCEEDED,
        .body = {(const uint8_t *)"found two", 9},
        .joint = {b.data, b.used}};
    message_put_settle(world_frame(w, WORKER), number, &o, 1, 0);
    step(w, 0);
    pack_buffer_free(&b);
    pack_buffer_free(&bytes);
}

void
play_joint(struct world *w)
{
    struct job_spec jobs[3] = {world_job("page 2"), world_job("page 3"), world_job("page 4")};
    greet_client(w);
    submit_three(w, 1);
    step(w, 0);
    say(w, "A worker runs the first job.");
    greet_worker(w, WORKER, 1);
    say(w, "It ends with three jobs more than the queue takes now: nothing of it has happened.");
    end(w, 2, jobs, 3, false);
    say(w, "With two it still has to wait.");
    end(w, 3, jobs, 2, false);
    say(w, "It has waited for long enough, and they are taken; another job is cancelled.");
    end(w, 4, jobs, 2, true);
    say(w, "The answer was lost, and it is told again: nothing happens a second time.");
    end(w, 5, jobs, 2, true);
    message_put_list(world_frame(w, CLIENT), 6, &(struct message){.list.limit = 10});
    step(w, 0);
}

static void
write_more(struct world *w, uint64_t at, const char *text)
{
    const struct wrote piece = {
        .id = job(1), .attempt = 1, .at = at, .text = {(const uint8_t *)text, strlen(text)}};
    message_put_wrote(world_frame(w, WORKER), MESSAGE_WROTE, &piece, 1);
    step(w, 250);
}

void
play_live(struct world *w)
{
    const struct stint_id id = job(1);
    greet_client(w);
    submit(w, 1, "talks");
    say(w, "Somebody listens before the job runs; its worker hears that with the job.");
    message_put_ids(world_frame(w, CLIENT), MESSAGE_WAIT, 2, &id, 1, WAIT_OUTPUT);
    step(w, 0);
    greet_worker(w, WORKER, 1);
    write_more(w, 0, "");
    write_more(w, 0, "begins\n");
    say(w, "Nobody listens any more, and the worker is told.");
    message_put_ids(world_frame(w, CLIENT), MESSAGE_WAIT, 3, &id, 1, 0);
    step(w, 0);
    write_more(w, 7, "goes on\n");
    say(w, "Somebody does again: what was written last comes again, and says where it stands.");
    message_put_ids(world_frame(w, CLIENT), MESSAGE_WAIT, 4, &id, 1, WAIT_OUTPUT);
    step(w, 0);
    write_more(w, 7, "goes on\nand on\n");
    world_settle(w, WORKER, 5, id, 1, OUTCOME_SUCCEEDED, "");
    step(w, 0);
}
