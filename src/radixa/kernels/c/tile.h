/* Attention of many query rows to one chunk of tokens, as two register-tiled matrix products with a softmax between.

   Queries lie across the lanes of a vector: a block of scores is computed as [tokens, queries], so that maxima, sums and
   the scaling of what was accumulated before are plain vector operations, and K and V are read as they lie in the pool,
   one broadcast element at a time, once for all the queries of a unit (online softmax: Milakov and Gimelshein 2018;
   FlashAttention, Dao et al. 2022). With DOT_BF16, elements are pairs of bfloat16 and a product is `vdpbf16ps`.

   Included once per element type; T(x) names its functions. */

enum {
    T(STRIDE) = TILE_VECTORS * LANES,  /* queries of a unit */
    T(KEYS) = REGISTERS == 32 ? 8 : 4  /* tokens, or elements of V, of a register tile */
};

#if ELEMENT_BF16 && defined(DOT_BF16)
#define PAIRS 2
typedef uint32_t T(word);
INLINE vf T(madd)(vf sum, vf queries, uint32_t pair) {
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)queries, (__m512bh)_mm512_set1_epi32((int)pair));
}
#else
#define PAIRS 1
typedef float T(word);
INLINE vf T(madd)(vf sum, vf queries, float x) { return sum + queries * x; }
#endif

typedef struct {
    T(word) q[MAX_SIZE / PAIRS * T(STRIDE)];    /* [size, queries] */
    float sum[MAX_SIZE * T(STRIDE)];            /* [size, queries]: weighted values so far */
    float scores[BLOCK * T(STRIDE)];            /* [tokens, queries] */
    T(word) weights[BLOCK / PAIRS * T(STRIDE)]; /* [tokens, queries] */
    float top[T(STRIDE)], mass[T(STRIDE)];      /* largest score and sum of weights so far */
    float decay[T(STRIDE)];                     /* what the block does to the sums so far */
    int32_t seen[T(STRIDE)];                    /* tokens of the piece that each query sees */
} __attribute__((aligned(64))) T(Tile);

/* scores [keys, stride] of a block of K [keys, size] for `vectors` vectors of queries. */
INLINE void T(tile_scores)(T(Tile) * t, const T(word) * k, int keys, const int size, const int vectors) {
    const int words = size / PAIRS;
    for (int j = 0; j < keys; j += T(KEYS)) {
        vf sum[T(KEYS)][TILE_VECTORS];
#pragma GCC unroll 8
        for (int i = 0; i < T(KEYS); i++)
#pragma GCC unroll 3
            for (int x = 0; x < vectors; x++) sum[i][x] = (vf){};
        const T(word) *row = k + j * words;
        const float *q = (const float *)t->q;
        for (int w = 0; w < words; w++) {
            vf queries[TILE_VECTORS];
#pragma GCC unroll 3
            for (int x = 0; x < vectors; x++) queries[x] = NAME(load)(q + w * T(STRIDE) + x * LANES);
#pragma GCC unroll 8
            for (int i = 0; i < T(KEYS); i++)
#pragma GCC unroll 3
                for (int x = 0; x < vectors; x++) sum[i][x] = T(madd)(sum[i][x], queries[x], row[i * words + w]);
        }
#pragma GCC unroll 8
        for (int i = 0; i < T(KEYS); i++)
#pragma GCC unroll 3
            for (int x = 0; x < vectors; x++) NAME(store)(t->scores + (j + i) * T(STRIDE) + x * LANES, sum[i][x]);
    }
}

/* Scores of tokens that a query does not see become MASKED. `token`: of the block's first row, in the piece. */
INLINE void T(tile_mask)(T(Tile) * t, int64_t token, int keys, const int vectors) {
    for (int x = 0; x < vectors; x++) {
        vi seen;
        memcpy(&seen, t->seen + x * LANES, sizeof seen);
        for (int j = 0; j < keys; j++) {
            float *at = t->scores + j * T(STRIDE) + x * LANES;
            vi hidden = seen <= (int32_t)(token + j);
            vi bits = (hidden & (vi)NAME(splat)(MASKED)) | (~hidden & (vi)NAME(load)(at));
            NAME(store)(at, (vf)bits);
        }
    }
}

/* The block's weights, the new maxima and sums, and by how much what was accumulated before decays. */
INLINE void T(tile_weights)(T(Tile) * t, int keys, float scale, const int vectors) {
    for (int x = 0; x < vectors; x++) {
        float *tops = t->top + x * LANES, *masses = t->mass + x * LANES;
        const float *s = t->scores + x * LANES;
        vf before = NAME(load)(tops), top = before, top2 = before;
        for (int j = 0; j + 1 < keys; j += 2) {
            top = NAME(max)(top, NAME(load)(s + j * T(STRIDE)));
            top2 = NAME(max)(top2, NAME(load)(s + (j + 1) * T(STRIDE)));
        }
        if (keys & 1) top = NAME(max)(top, NAME(load)(s + (keys - 1) * T(STRIDE)));
        top = NAME(max)(top, top2);
        vf decay = NAME(exp2)((before - top) * scale), mass = NAME(load)(masses) * decay;
        T(word) *weights = t->weights + x * LANES;
#if PAIRS == 2
        const __m512i order = (__m512i)(vh32){0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
                                              8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
        for (int j = 0; j < keys; j += 2) {
            vf one = NAME(exp2_bf16)((NAME(load)(s + j * T(STRIDE)) - top) * scale), two = (vf){};
            if (j + 1 < keys) two = NAME(exp2_bf16)((NAME(load)(s + (j + 1) * T(STRIDE)) - top) * scale);
            mass += one + two;
            __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)two, (__m512)one);
            _mm512_store_si512(weights + j / 2 * T(STRIDE), _mm512_permutexvar_epi16(order, both));
        }
#else
        for (int j = 0; j < keys; j++) {
            vf weight = NAME(exp2)((NAME(load)(s + j * T(STRIDE)) - top) * scale);
            mass += weight;
            NAME(store)(weights + j * T(STRIDE), weight);
        }
#endif
        NAME(store)(tops, top);
        NAME(store)(masses, mass);
        NAME(store)(t->decay + x * LANES, decay);
    }
}

/* sum = sum * decay + weights x V, for V [keys / PAIRS, size] in words. */
INLINE void T(tile_values)(T(Tile) * t, const T(word) * v, int keys, const int size, const int vectors) {
    const int steps = (keys + PAIRS - 1) / PAIRS;
    vf decay[TILE_VECTORS];
#pragma GCC unroll 3
    for (int x = 0; x < vectors; x++) decay[x] = NAME(load)(t->decay + x * LANES);
    for (int d = 0; d < size; d += T(KEYS)) {
        vf sum[T(KEYS)][TILE_VECTORS];
        float *sums = t->sum + d * T(STRIDE);
#pragma GCC unroll 8
        for (int i = 0; i < T(KEYS); i++)
#pragma GCC unroll 3
            for (int x = 0; x < vectors; x++) sum[i][x] = NAME(load)(sums + i * T(STRIDE) + x * LANES) * decay[x];
        const float *weights = (const float *)t->weights;
        for (int j = 0; j < steps; j++) {
            vf weight[TILE_VECTORS];
#pragma GCC unroll 3
            for (int x = 0; x < vectors; x++) weight[x] = NAME(load)(weights + j * T(STRIDE) + x * LANES);
#pragma GCC unroll 8
            for (int i = 0; i < T(KEYS); i++)
#pragma GCC unroll 3
                for (int x = 0; x < vectors; x++) sum[i][x] = T(madd)(sum[i][x], weight[x], v[j * size + d + i]);
        }
#pragma GCC unroll 8
        for (int i = 0; i < T(KEYS); i++)
#pragma GCC unroll 3
            for (int x = 0; x < vectors; x++) NAME(store)(sums + i * T(STRIDE) + x * LANES, sum[i][x]);
    }
}

INLINE void T(tile_block)(T(Tile) * t, const T(word) * k, const T(word) * v, int keys, int masked,
                          int64_t token, float scale, const int size, const int vectors) {
    T(tile_scores)(t, k, keys, size, vectors);
    if (masked) T(tile_mask)(t, token, keys, vectors);
    T(tile_weights)(t, keys, scale, vectors);
    T(tile_values)(t, v, keys, size, vectors);
}

/* A copy of `tile_block` for each size and number of vectors: the register tile needs both as constants. */
static TARGET void T(tile_step)(T(Tile) * t, const T(word) * k, const T(word) * v, int keys, int masked,
                                int64_t token, float scale, int size, int vectors) {
    switch (size / 64 * 4 + vectors) {
        case 5: T(tile_block)(t, k, v, keys, masked, token, scale, 64, 1); break;
        case 6: T(tile_block)(t, k, v, keys, masked, token, scale, 64, 2); break;
        case 7: T(tile_block)(t, k, v, keys, masked, token, scale, 64, 3); break;
        case 9: T(tile_block)(t, k, v, keys, masked, token, scale, 128, 1); break;
        case 10: T(tile_block)(t, k, v, keys, masked, token, scale, 128, 2); break;
        case 11: T(tile_block)(t, k, v, keys, masked, token, scale, 128, 3); break;
    }
}

/* Queries of the unit's rows into the tiles, transposed; query `lane` is head lane % group of row lane / group. */
static TARGET void T(tile_start)(T(Tile) * t, const Attention *a, const Unit *u) {
    const int words = (int)a->size / PAIRS, lanes = (int)(u->rows * a->group);
    for (int first = 0; first < lanes; first += LANES) {
        const element *q[LANES];
        for (int i = 0; i < LANES; i++) {
            int64_t lane = least(first + i, lanes - 1); /* those beyond the last repeat it: finite, and never read */
            int64_t row = u->row + lane / a->group, head = u->head * a->group + lane % a->group;
            q[i] = (const element *)a->q + ((u->piece->row + row) * a->heads + head) * a->size;
            t->seen[first + i] = (int32_t)visible(u->piece, row);
            t->top[first + i] = LOWEST;
            t->mass[first + i] = 0;
        }
        float *to = (float *)t->q + first;
        for (int w = 0; w < words; w += LANES) {
            vf x[LANES];
            for (int i = 0; i < LANES; i++)
                x[i] = PAIRS == 2 ? NAME(load)((const float *)(const void *)(q[i] + 2 * w)) : T(load)(q[i] + w);
            NAME(transpose)(x);
            for (int i = 0; i < LANES; i++) NAME(store)(to + (w + i) * T(STRIDE), x[i]);
        }
    }
    memset(t->sum, 0, (size_t)a->size * T(STRIDE) * 4);
}

static TARGET void T(tile_end)(const T(Tile) * t, const Attention *a, const Unit *u) {
    float rows[LANES][MAX_SIZE];
    const int size = (int)a->size, lanes = (int)(u->rows * a->group);
    for (int first = 0; first < lanes; first += LANES) {
        const float *sum = t->sum + first;
        for (int d = 0; d < size; d += LANES) {
            vf x[LANES];
            for (int i = 0; i < LANES; i++) x[i] = NAME(load)(sum + (d + i) * T(STRIDE));
            NAME(transpose)(x);
            for (int i = 0; i < LANES; i++) NAME(store)(rows[i] + d, x[i]);
        }
        for (int i = 0; i < least(LANES, lanes - first); i++)
            T(finish)(a, u, first + i, rows[i], t->top[first + i], t->mass[first + i]);
    }
}

static TARGET void T(tile_unit)(const Attention *a, const Unit *u) {
    T(Tile) t;
    element k_copy[BLOCK * MAX_SIZE], v_copy[BLOCK * MAX_SIZE];
#if ELEMENT_BF16
    T(word) v_words[BLOCK / PAIRS * MAX_SIZE] __attribute__((aligned(64)));
#if PAIRS == 1
    float k_words[BLOCK * MAX_SIZE];
#endif
#endif
    int64_t token = u->chunk * CHUNK;
    int64_t sees_all = visible(u->piece, u->row), last = least(token + CHUNK, visible(u->piece, u->row + u->rows - 1));
    if (token >= last) return;
    const int size = (int)a->size, vectors = (int)((u->rows * a->group + LANES - 1) / LANES);
    Walk walk = walk_from(a, u->piece, u->head, token);
    T(tile_start)(&t, a, u);
    for (; token < last; token += BLOCK) {
        int keys = (int)least(BLOCK, last - token), padded = (keys + T(KEYS) - 1) / T(KEYS) * T(KEYS);
        const void *k, *v;
        walk_take(&walk, keys, padded, &k, &v, (char *)k_copy, (char *)v_copy);
#if PAIRS == 2
        T(interleave)(v_words, v, padded, size);
        v = v_words;
#elif ELEMENT_BF16
        T(widen)(k_words, k, padded * size);
        T(widen)(v_words, v, padded * size);
        k = k_words;
        v = v_words;
#endif
        T(tile_step)(&t, k, v, keys, token + keys > sees_all, token, a->scale, size, vectors);
    }
    T(tile_end)(&t, a, u);
}

#undef PAIRS
