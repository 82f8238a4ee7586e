/* One vector of LANES floats, for the instruction set that includes this file.

   Included once per instruction set, with NAME(x) giving each function a suffix of its own and TARGET the attribute that
   lets the compiler use the set. Arithmetic is written with the operators of GCC's and Clang's vector extension; only
   what those cannot say is an intrinsic. */

#define vf NAME(vf)
#define vi NAME(vi)
#define vh NAME(vh)
#define INLINE static inline __attribute__((always_inline)) TARGET

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint16_t vh __attribute__((vector_size(2 * LANES)));

INLINE vf NAME(load)(const float *p) {
    vf x;
    memcpy(&x, p, sizeof x);
    return x;
}

INLINE void NAME(store)(float *p, vf x) { memcpy(p, &x, sizeof x); }

INLINE vf NAME(splat)(float x) { return x - (vf){}; }

/* bfloat16 is the upper half of a float. */
INLINE vf NAME(load_bf16)(const uint16_t *p) {
    vh x;
    memcpy(&x, p, sizeof x);
    return (vf)(__builtin_convertvector(x, vi) << 16);
}

/* The larger of each pair; b where one of them is NaN, so that the operand to be kept comes second. */
#if LANES == 16
INLINE vf NAME(max)(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vf NAME(low32)(vf a, vf b) { return (vf)_mm512_unpacklo_ps((__m512)a, (__m512)b); }
INLINE vf NAME(high32)(vf a, vf b) { return (vf)_mm512_unpackhi_ps((__m512)a, (__m512)b); }
INLINE vf NAME(low64)(vf a, vf b) { return (vf)_mm512_unpacklo_pd((__m512d)a, (__m512d)b); }
INLINE vf NAME(high64)(vf a, vf b) { return (vf)_mm512_unpackhi_pd((__m512d)a, (__m512d)b); }
#elif LANES == 8
INLINE vf NAME(max)(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vf NAME(low32)(vf a, vf b) { return (vf)_mm256_unpacklo_ps((__m256)a, (__m256)b); }
INLINE vf NAME(high32)(vf a, vf b) { return (vf)_mm256_unpackhi_ps((__m256)a, (__m256)b); }
INLINE vf NAME(low64)(vf a, vf b) { return (vf)_mm256_unpacklo_pd((__m256d)a, (__m256d)b); }
INLINE vf NAME(high64)(vf a, vf b) { return (vf)_mm256_unpackhi_pd((__m256d)a, (__m256d)b); }
#elif defined(__x86_64__)
INLINE vf NAME(max)(vf a, vf b) { return (vf)_mm_max_ps((__m128)a, (__m128)b); }
INLINE vf NAME(low32)(vf a, vf b) { return (vf)_mm_unpacklo_ps((__m128)a, (__m128)b); }
INLINE vf NAME(high32)(vf a, vf b) { return (vf)_mm_unpackhi_ps((__m128)a, (__m128)b); }
INLINE vf NAME(low64)(vf a, vf b) { return (vf)_mm_unpacklo_pd((__m128d)a, (__m128d)b); }
INLINE vf NAME(high64)(vf a, vf b) { return (vf)_mm_unpackhi_pd((__m128d)a, (__m128d)b); }
#else
INLINE vf NAME(max)(vf a, vf b) {
    vi greater = a > b;
    return (vf)((greater & (vi)a) | (~greater & (vi)b));
}
INLINE vf NAME(low32)(vf a, vf b) { return (vf){a[0], b[0], a[1], b[1]}; }
INLINE vf NAME(high32)(vf a, vf b) { return (vf){a[2], b[2], a[3], b[3]}; }
INLINE vf NAME(low64)(vf a, vf b) { return (vf){a[0], a[1], b[0], b[1]}; }
INLINE vf NAME(high64)(vf a, vf b) { return (vf){a[2], a[3], b[2], b[3]}; }
#endif

/* Sums of LANES vectors: lane i of the result is the sum of the lanes of x[i]. */
INLINE vf NAME(sums)(vf x[LANES]) {
    for (int i = 0; i < LANES / 2; i++) x[i] = NAME(low32)(x[2 * i], x[2 * i + 1]) + NAME(high32)(x[2 * i], x[2 * i + 1]);
    for (int i = 0; i < LANES / 4; i++) x[i] = NAME(low64)(x[2 * i], x[2 * i + 1]) + NAME(high64)(x[2 * i], x[2 * i + 1]);
#if LANES == 16
    for (int half = 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            x[i] = (vf)_mm512_shuffle_f32x4((__m512)x[2 * i], (__m512)x[2 * i + 1], 0x88) +
                   (vf)_mm512_shuffle_f32x4((__m512)x[2 * i], (__m512)x[2 * i + 1], 0xdd);
#elif LANES == 8
    x[0] = (vf)_mm256_permute2f128_ps((__m256)x[0], (__m256)x[1], 0x20) +
           (vf)_mm256_permute2f128_ps((__m256)x[0], (__m256)x[1], 0x31);
#endif
    return x[0];
}

/* x[i][j] becomes x[j][i]. */
INLINE void NAME(transpose)(vf x[LANES]) {
    vf y[LANES];
    for (int i = 0; i < LANES; i += 4) {
        vf a = NAME(low32)(x[i], x[i + 1]), b = NAME(high32)(x[i], x[i + 1]);
        vf c = NAME(low32)(x[i + 2], x[i + 3]), d = NAME(high32)(x[i + 2], x[i + 3]);
        y[i] = NAME(low64)(a, c);
        y[i + 1] = NAME(high64)(a, c);
        y[i + 2] = NAME(low64)(b, d);
        y[i + 3] = NAME(high64)(b, d);
    }
    for (int i = 0; i < 4; i++) {
#if LANES == 16
        __m512 a = (__m512)y[i], b = (__m512)y[i + 4], c = (__m512)y[i + 8], d = (__m512)y[i + 12];
        __m512 ab = _mm512_shuffle_f32x4(a, b, 0x44), cd = _mm512_shuffle_f32x4(c, d, 0x44);
        x[i] = (vf)_mm512_shuffle_f32x4(ab, cd, 0x88);
        x[i + 4] = (vf)_mm512_shuffle_f32x4(ab, cd, 0xdd);
        ab = _mm512_shuffle_f32x4(a, b, 0xee), cd = _mm512_shuffle_f32x4(c, d, 0xee);
        x[i + 8] = (vf)_mm512_shuffle_f32x4(ab, cd, 0x88);
        x[i + 12] = (vf)_mm512_shuffle_f32x4(ab, cd, 0xdd);
#elif LANES == 8
        x[i] = (vf)_mm256_permute2f128_ps((__m256)y[i], (__m256)y[i + 4], 0x20);
        x[i + 4] = (vf)_mm256_permute2f128_ps((__m256)y[i], (__m256)y[i + 4], 0x31);
#else
        x[i] = y[i];
#endif
    }
}

INLINE float NAME(total)(vf x) {
    float lanes[LANES];
    NAME(store)(lanes, x);
    for (int width = LANES / 2; width; width /= 2)
        for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
    return lanes[0];
}

INLINE float NAME(largest)(vf x) {
    float lanes[LANES];
    NAME(store)(lanes, x);
    for (int i = 1; i < LANES; i++) lanes[0] = lanes[i] > lanes[0] ? lanes[i] : lanes[0];
    return lanes[0];
}

/* 2 to the power of x for x < 128, with a relative error of 2e-7; exactly 0 below 2^-126. x = n + f with |f| <= 1/2:
   adding 1.5 * 2^23 + 127 rounds to n and leaves n + 127, the exponent of 2^n, in the low bits; 2^f is a minimax
   polynomial that is 1 at 0, so that scaling by 2^0 changes nothing. */
INLINE vf NAME(exp2)(vf x) {
    x = NAME(max)(NAME(splat)(-127.0f), x);
    vf shifted = x + 12583039.0f;
    vf f = x - (shifted - 12583039.0f);
    vf power = (vf)((vi)shifted << 23);
    vf p = f * 0.001326472731307149f + 0.009671512991189957f;
    p = p * f + 0.05550733581185341f;
    p = p * f + 0.24022242426872253f;
    p = p * f + 0.6931470036506653f;
    p = p * f + 1.0f;
    return p * power;
}

/* The same with a relative error of 3e-6, for weights that will be rounded to bfloat16. */
INLINE vf NAME(exp2_bf16)(vf x) {
    x = NAME(max)(NAME(splat)(-127.0f), x);
    vf shifted = x + 12583039.0f;
    vf f = x - (shifted - 12583039.0f);
    vf power = (vf)((vi)shifted << 23);
    vf p = f * 0.009582852944731712f + 0.055906426161527634f;
    p = p * f + 0.24024099111557007f;
    p = p * f + 0.6931241750717163f;
    p = p * f + 1.0f;
    return p * power;
}

/* Rounded to nearest even; NaN stays NaN. */
INLINE void NAME(store_bf16)(uint16_t *p, vf x) {
#ifdef DOT_BF16
    __m256bh rounded = _mm512_cvtneps_pbh((__m512)x);
    memcpy(p, &rounded, sizeof rounded);
#else
    vi bits = (vi)x;
    vi rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    vi broken = x != x;
    vh half = __builtin_convertvector((rounded & ~broken) | (broken & 0x7fc0), vh);
    memcpy(p, &half, sizeof half);
#endif
}
