/* What the processor knows, and what of it is used. Included by the files that are compiled once for each instruction
   set. */

/* What the library shows: everything else is hidden by the compiler's options. */
#define EXPORT __attribute__((visibility("default")))

extern int chosen_set; /* in cpu.c, an `instruction_set`, set by `radixa_choose` */

/* The best instruction set, none beyond `limit`: 0 generic, 1 AVX2, 2 AVX-512, 3 AVX-512 with bfloat16. */
static inline int instruction_set(int limit) {
    int best = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) best = 1;
    if (best == 1 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        best = __builtin_cpu_supports("avx512bf16") ? 3 : 2;
#endif
    return best < limit ? best : limit;
}
