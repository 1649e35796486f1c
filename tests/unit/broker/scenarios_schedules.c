/* The scenario of schedules, in a file of its own; see scenarios.h. */
#include "scenarios.h"

static void
send(struct world *w, uint64_t number, struct schedule_request s)
{
    s.name = (struct slice){(const uint8_t *)"nightly", 7};
    message_put_set_schedule(world_frame(w, CLIENT), number, &s);
    step(w, 0);
}

static void
act(struct world *w, uint64_t number, enum stint_schedule_action action)
{
    send(w, number, (struct schedule_request){.action = action});
}

static void
set(struct world *w, uint64_t number, const char *cron)
{
    struct pack_buffer b = {0};
    struct job_spec spec = world_job("clean up");
    message_put_job(&b, &spec);
    send(w, number,
        (struct schedule_request){.action = STINT_SET_SCHEDULE,
            .cron = {(const uint8_t *)cron, strlen(cron)},
            .missed = STINT_MISSED_ALL,
            .most = 3,
            .overlap = STINT_OVERLAP_SKIP,
            .job = {b.data, b.used}});
    pack_buffer_free(&b);
}

void
play_schedules(struct world *w)
{
    struct slice name = {(const uint8_t *)"nightly", 7}, none = {NULL, 0};
    greet_client(w);
    say(w, "One that never comes is refused; one for the next minute is made.");
    set(w, 1, "0 0 30 2 *");
    set(w, 2, "* * * * *");
    message_put_subscribe(world_frame(w, CLIENT), 3, none, 0, NULL, 0);
    say(w, "Its time comes.");
    step(w, 40000);
    message_put_list_schedules(world_frame(w, CLIENT), 4, none, 1, none);
    step(w, 0);
    say(w, "All of one, with the ticks to come; and a job besides them, asked for twice.");
    message_put_list_schedules(world_frame(w, CLIENT), 5, name, 3, none);
    step(w, 0);
    send(w, 6, (struct schedule_request){.action = STINT_RUN_SCHEDULE, .run = 99});
    send(w, 7, (struct schedule_request){.action = STINT_RUN_SCHEDULE, .run = 99});
    say(w, "It is paused and removed.");
    act(w, 8, STINT_PAUSE_SCHEDULE);
    act(w, 9, STINT_REMOVE_SCHEDULE);
    act(w, 10, STINT_RESUME_SCHEDULE);
}
