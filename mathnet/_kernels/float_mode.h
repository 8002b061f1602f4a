/* The floating-point mode in which kernels run: round to nearest, exceptions masked, and denormals either
   kept or flushed to zero, whatever the application has chosen for its own thread.  Flushing saves the
   100-cycle assists that decaying moments and activations would otherwise cost. */
#ifndef MN_FLOAT_MODE_H
#define MN_FLOAT_MODE_H

#include <stdint.h>

#if defined(__x86_64__)

/* MXCSR: all exceptions masked 0x1F80, flush-to-zero 0x8000, denormals-are-zero 0x0040. */
static inline uint64_t mn_float_mode_enter(int flush) {
    unsigned before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(flush ? 0x1F80 | 0x8040 : 0x1F80);
    return before;
}

static inline void mn_float_mode_leave(uint64_t before) { __builtin_ia32_ldmxcsr((unsigned)before); }

#elif defined(__aarch64__)

/* FPCR: bit 24 flushes denormal inputs and results. */
static inline uint64_t mn_float_mode_enter(int flush) {
    uint64_t before, wanted = flush ? (uint64_t)1 << 24 : 0;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    if (before != wanted) __asm__ volatile("msr fpcr, %0" : : "r"(wanted) : "memory");
    return before;
}

static inline void mn_float_mode_leave(uint64_t before) {
    __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory");
}

#else

static inline uint64_t mn_float_mode_enter(int flush) { (void)flush; return 0; }
static inline void mn_float_mode_leave(uint64_t before) { (void)before; }

#endif

#endif
