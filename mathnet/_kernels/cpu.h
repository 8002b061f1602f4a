/* Which kernel tables this processor can run.  Compiled without instruction-set flags. */
#ifndef MN_CPU_H
#define MN_CPU_H

#include <string.h>

static inline int mn_cpu_runs(const char *isa)
{
    if (strcmp(isa, "baseline") == 0)
        return 1;
#if defined(__x86_64__) || defined(__i386__)
    if (strcmp(isa, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return 0;
}

#endif
