/* One block of a product, for one element type: included by `set.h` with ELEMENT_BF16 as 0 and as 1.

   A word is what one step multiplies: a float, or a pair of bfloat16. Where no instruction multiplies pairs there is no
   product of bfloat16. */

#if !ELEMENT_BF16 || defined(DOT_BF16)
#if ELEMENT_BF16
#define T(x) NAME(x##_bf16)
#define PAIRS 2
typedef uint16_t T(element);
typedef uint32_t T(word);
INLINE vf T(madd)(vf sum, vf weights, T(word) pair) {
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)weights, (__m512bh)_mm512_set1_epi32((int)pair));
}
INLINE vf T(get)(const T(element) * p) { return NAME(load_bf16)(p); }
INLINE void T(put)(T(element) * p, vf x) { NAME(store_bf16)(p, x); }
#else
#define T(x) NAME(x##_f32)
#define PAIRS 1
typedef float T(element);
typedef float T(word);
INLINE vf T(madd)(vf sum, vf weights, T(word) x) { return sum + weights * x; }
INLINE vf T(get)(const T(element) * p) { return NAME(load)(p); }
INLINE void T(put)(T(element) * p, vf x) { NAME(store)(p, x); }
#endif

/* Rows of a register tile: with two vectors of weights and their sums, as many as the registers hold. */
#define ROWS (REGISTERS == 32 ? 12 : 6)

/* How far ahead of the first tile its weights are asked for: later tiles find them in the cache. */
#define AHEAD (2048 / (8 * LANES))

/* Where the sums of a tile go: rows of out, `stride` elements apart, as float32 if `wide`. */
typedef struct {
    void *out;
    int64_t stride;
    int wide;
} T(Sums);

/* out [rows, WIDTH] = bias + x [rows, words] times one block. */
INLINE void T(product_tile)(const T(word) * block, const T(word) * x, const vf bias[2], T(Sums) to, int64_t words,
                            int first, const int rows) {
    vf sum[ROWS][2];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) sum[i][0] = bias[0], sum[i][1] = bias[1];
    for (int64_t w = 0; w < words; w++) {
        const T(word) *at = block + w * 2 * LANES;
        vf a = NAME(load)((const float *)at), b = NAME(load)((const float *)(at + LANES));
        if (first) __builtin_prefetch(at + AHEAD * 2 * LANES), __builtin_prefetch(at + AHEAD * 2 * LANES + LANES);
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            sum[i][0] = T(madd)(sum[i][0], a, x[i * words + w]);
            sum[i][1] = T(madd)(sum[i][1], b, x[i * words + w]);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        if (to.wide) {
            float *out = (float *)to.out + i * to.stride;
            NAME(store)(out, sum[i][0]), NAME(store)(out + LANES, sum[i][1]);
        } else {
            T(element) *out = (T(element) *)to.out + i * to.stride;
            T(put)(out, sum[i][0]), T(put)(out + LANES, sum[i][1]);
        }
    }
}

/* A copy of `product_tile` for each number of rows: the register tile needs it as a constant. */
static TARGET void T(product_rows)(const T(word) * block, const T(word) * x, const vf *bias, T(Sums) to, int64_t words,
                                   int first, int rows) {
    switch (rows) {
        case 1: T(product_tile)(block, x, bias, to, words, first, 1); break;
        case 2: T(product_tile)(block, x, bias, to, words, first, 2); break;
        case 3: T(product_tile)(block, x, bias, to, words, first, 3); break;
        case 4: T(product_tile)(block, x, bias, to, words, first, 4); break;
        case 5: T(product_tile)(block, x, bias, to, words, first, 5); break;
        case 6: T(product_tile)(block, x, bias, to, words, first, 6); break;
#if REGISTERS == 32
        case 7: T(product_tile)(block, x, bias, to, words, first, 7); break;
        case 8: T(product_tile)(block, x, bias, to, words, first, 8); break;
        case 9: T(product_tile)(block, x, bias, to, words, first, 9); break;
        case 10: T(product_tile)(block, x, bias, to, words, first, 10); break;
        case 11: T(product_tile)(block, x, bias, to, words, first, 11); break;
        case 12: T(product_tile)(block, x, bias, to, words, first, 12); break;
#endif
    }
}

/* Rows `first` to `last` of x times one block of weights. */
static TARGET void T(product_block)(const Product *p, int64_t index, int64_t first, int64_t last) {
    const int64_t words = p->inputs / PAIRS, width = 2 * LANES, column = index * width;
    const int64_t columns = p->outputs - column < width ? p->outputs - column : width;
    const T(word) *block = (const T(word) *)p->blocks + index * words * width;
    const size_t size = p->wide ? sizeof(float) : sizeof(T(element));
    float edge[ROWS * 2 * LANES]; /* for the last block, where it is not full */
    vf bias[2] = {(vf){}, (vf){}};
    if (p->bias) {
        T(element) values[2 * LANES] = {0};
        memcpy(values, (const T(element) *)p->bias + column, (size_t)columns * sizeof *values);
        bias[0] = T(get)(values), bias[1] = T(get)(values + LANES);
    }
    /* Tiles as even as can be: 13 rows are 7 and 6, not 12 and 1. */
    for (int64_t tiles = (last - first + ROWS - 1) / ROWS, begin = first; tiles; tiles--) {
        int rows = (int)((last - begin + tiles - 1) / tiles);
        const T(word) *x = (const T(word) *)p->x + begin * words;
        char *out = (char *)p->out + (size_t)(begin * p->outputs + column) * size;
        if (columns == width) {
            T(product_rows)(block, x, bias, (T(Sums)){out, p->outputs, p->wide}, words, begin == first, rows);
        } else {
            T(product_rows)(block, x, bias, (T(Sums)){edge, width, p->wide}, words, begin == first, rows);
            for (int i = 0; i < rows; i++)
                memcpy(out + (size_t)(i * p->outputs) * size, (char *)edge + (size_t)(i * width) * size,
                       (size_t)columns * size);
        }
        begin += rows;
    }
}

#undef AHEAD
#undef ROWS
#undef PAIRS
#undef T
#endif
