/* Threads: the team that torch already has.

   A second OpenMP runtime in the process would keep a second team spinning on the same cores, so this library links to
   none. Whoever loads it hands over the entry point of torch's own (`GOMP_parallel`); without it everything runs on the
   calling thread. Work is handed out by a counter, so that no result depends on how many threads come. */

typedef void (*parallel_fn)(void (*)(void *), void *, unsigned, unsigned);

extern parallel_fn team; /* in cpu.c, set by `radixa_use_team` */

static void in_parallel(void (*work)(void *), void *context, int threads) {
    if (threads > 1 && team)
        team(work, context, (unsigned)threads, 0);
    else
        work(context);
}

/* The next of a run of items, for whichever thread asks. */
static inline int64_t next_item(int64_t *counter, int64_t step) {
    return __atomic_fetch_add(counter, step, __ATOMIC_RELAXED);
}
