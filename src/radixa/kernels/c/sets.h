/* Compiles SET, the name of a file, once for each instruction set worth having.

   The file sees ISA (its name), NAME(x) (x with the set's suffix), TARGET (the attribute that lets the compiler use it),
   LANES (floats in a vector), REGISTERS and, where an instruction multiplies pairs of bfloat16, DOT_BF16; PAIRED(x) is x
   there and 0 elsewhere. EACH_SET(x) then lists the addresses of what was defined as NAME(x), in the order of
   `instruction_set`. */

#define PAIRED(x) 0

#define ISA "generic"
#define NAME(x) x##_generic
#define TARGET
#define LANES 4
#ifdef __aarch64__
#define REGISTERS 32
#else
#define REGISTERS 16
#endif
#include "set.h"

#if defined(__x86_64__)
#define ISA "avx2"
#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define REGISTERS 16
#include "set.h"

#define ISA "avx512"
#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")))
#define LANES 16
#define REGISTERS 32
#include "set.h"

#define ISA "avx512_bf16"
#define NAME(x) x##_avx512_bf16
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")))
#define LANES 16
#define REGISTERS 32
#define DOT_BF16
#undef PAIRED
#define PAIRED(x) x
#include "set.h"
#undef DOT_BF16

#define EACH_SET(x) &x##_generic, &x##_avx2, &x##_avx512, &x##_avx512_bf16
#else
#define EACH_SET(x) &x##_generic
#endif
