/* NEON of AArch64: what simd.h leaves to the instruction set.  Included by simd.h alone.

   A function defined here announces itself by a macro of its own name; simd.h fills in the others.  The minimum and
   maximum are among these: vminq returns NaN where either operand is one, and x86 and our kernels return the second. */
#ifndef MN_SIMD_ARM_H
#define MN_SIMD_ARM_H

#define MN_HAS_FMA 1

#ifdef MN_REAL_IS_DOUBLE
#define MN_ARM(stem) stem##_f64
#define MN_ARM_VEC float64x2_t
#define MN_ARM_MASK uint64x2_t
#else
#define MN_ARM(stem) stem##_f32
#define MN_ARM_VEC float32x4_t
#define MN_ARM_MASK uint32x4_t
#endif

#define v_splat v_splat
MN_INLINE mn_vec v_splat(mn_real x)
{
    return (mn_vec)MN_ARM(vdupq_n)(x);
}

#define v_select v_select
MN_INLINE mn_vec v_select(mn_ivec mask, mn_vec a, mn_vec b)
{
    return (mn_vec)MN_ARM(vbslq)((MN_ARM_MASK)mask, (MN_ARM_VEC)a, (MN_ARM_VEC)b);
}

#define v_any v_any
MN_INLINE int v_any(mn_ivec mask)
{
    return vmaxvq_u32((uint32x4_t)mask) != 0;
}

#define v_fma v_fma
MN_INLINE mn_vec v_fma(mn_vec a, mn_vec b, mn_vec c)
{
    return (mn_vec)MN_ARM(vfmaq)((MN_ARM_VEC)c, (MN_ARM_VEC)a, (MN_ARM_VEC)b);
}

#define v_fnma v_fnma
MN_INLINE mn_vec v_fnma(mn_vec a, mn_vec b, mn_vec c)
{
    return (mn_vec)MN_ARM(vfmsq)((MN_ARM_VEC)c, (MN_ARM_VEC)a, (MN_ARM_VEC)b);
}

#define v_sqrt v_sqrt
MN_INLINE mn_vec v_sqrt(mn_vec a)
{
    return (mn_vec)MN_ARM(vsqrtq)((MN_ARM_VEC)a);
}

#define v_round v_round
MN_INLINE mn_vec v_round(mn_vec a)
{
    return (mn_vec)MN_ARM(vrndnq)((MN_ARM_VEC)a);
}

#define v_floor v_floor
MN_INLINE mn_vec v_floor(mn_vec a)
{
    return (mn_vec)MN_ARM(vrndmq)((MN_ARM_VEC)a);
}

#define v_multiply_words v_multiply_words
MN_INLINE mn_wordvec v_multiply_words(mn_wordvec a, uint32_t b)
{
    return (mn_wordvec)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(b));
}

#endif
