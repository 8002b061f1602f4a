/* Which kernel tables this processor can run.  Compiled without instruction-set flags.

   __builtin_cpu_supports asks cpuid, and reports AVX and AVX-512 only where the operating system saves the wide
   registers too (XCR0). */
#ifndef MN_CPU_H
#define MN_CPU_H

#include <string.h>

static inline int mn_cpu_runs(const char *isa)
{
#if defined(__x86_64__)
    if (strcmp(isa, "baseline") == 0) /* SSE2 */
        return 1;
    if (strcmp(isa, "avx2") == 0 || strcmp(isa, "wide") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (strcmp(isa, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
            && __builtin_cpu_supports("fma");
    return 0;
#elif defined(__aarch64__)
    return strcmp(isa, "neon") == 0;
#else
    return strcmp(isa, "baseline") == 0;
#endif
}

#endif
