/* Attention of a few query rows, as a decoding sequence has them, to one chunk of tokens.

   Here a vector lies along the head: reading K and V is most of the work, so each row of K meets all the queries while it
   is in the cache, and the sums of LANES scores are folded into one vector. All the chunk's scores are taken first, so
   that its softmax needs no rescaling.

   Included once per element type; T(x) names its functions. */

#if ELEMENT_BF16 && defined(DOT_BF16)
#define PAIRS 2
typedef uint16_t T(operand); /* of a product: queries, K and weights */
#else
#define PAIRS 1
typedef float T(operand);
#endif

typedef struct {
    T(operand) q[FLAT_LANES][MAX_SIZE] __attribute__((aligned(64)));
    float scores[FLAT_LANES][CHUNK];
    T(operand) weights[FLAT_LANES][CHUNK] __attribute__((aligned(64)));
    float sum[FLAT_LANES][MAX_SIZE] __attribute__((aligned(64)));
    float top[FLAT_LANES], mass[FLAT_LANES];
} __attribute__((aligned(64))) T(Flat);

/* Scores of one query for `tokens` (a multiple of GROUP) tokens, K [tokens, size]. */
INLINE void T(flat_scores)(float *scores, const T(operand) * q, const T(operand) * k, int tokens, const int size) {
    for (int first = 0; first < tokens; first += LANES) {
        vf sum[LANES];
#pragma GCC unroll 16
        for (int j = 0; j < LANES; j++) {
            const T(operand) *row = k + (first + j) * size;
            vf x = (vf){};
#if PAIRS == 2
#pragma GCC unroll 4
            for (int d = 0; d < size; d += 32)
                x = (vf)_mm512_dpbf16_ps((__m512)x, (__m512bh)_mm512_loadu_si512(q + d),
                                         (__m512bh)_mm512_loadu_si512(row + d));
#else
#pragma GCC unroll 16
            for (int d = 0; d < size; d += LANES) x += NAME(load)(q + d) * NAME(load)(row + d);
#endif
            sum[j] = x;
        }
        NAME(store)(scores + first, NAME(sums)(sum));
    }
}

/* Weights of one query over the chunk, from its scores; those beyond `tokens` are 0. */
INLINE void T(flat_weights)(T(Flat) * f, int lane, int tokens, float scale) {
    float *scores = f->scores[lane];
    const int padded = (tokens + GROUP - 1) / GROUP * GROUP;
    for (int j = tokens; j < padded; j++) scores[j] = MASKED;
    vf top = NAME(splat)(LOWEST), mass = (vf){};
    for (int j = 0; j < padded; j += LANES) top = NAME(max)(top, NAME(load)(scores + j));
    f->top[lane] = NAME(largest)(top);
    top = NAME(splat)(f->top[lane]);
    for (int j = 0; j < padded; j += LANES) {
        vf weight = NAME(exp2)((NAME(load)(scores + j) - top) * scale);
        mass += weight;
#if PAIRS == 2
        NAME(store_bf16)(f->weights[lane] + j, weight);
#else
        NAME(store)(f->weights[lane] + j, weight);
#endif
    }
    f->mass[lane] = NAME(total)(mass);
}

enum { T(SPAN) = LANES == 16 ? 64 : LANES == 8 ? 16 : 8 }; /* elements of V in a register tile */

/* sum[lane] += weights x V [tokens, size] from `token` of the chunk on, for `lanes` queries from `first` on. */
INLINE void T(flat_values)(T(Flat) * f, int first, int token, const element *v, int tokens, int size, const int lanes) {
    for (int d = 0; d < size; d += T(SPAN)) {
        vf sum[4][T(SPAN) / LANES];
#pragma GCC unroll 4
        for (int i = 0; i < lanes; i++)
#pragma GCC unroll 4
            for (int x = 0; x < T(SPAN) / LANES; x++) sum[i][x] = NAME(load)(f->sum[first + i] + d + x * LANES);
        for (int j = 0; j < tokens; j += PAIRS) {
            const element *row = v + j * size + d;
#if PAIRS == 2
            /* Two rows' elements side by side, in the order of `unpack`; `flat_unit` puts the sums in order again. */
            __m512i a0 = _mm512_loadu_si512(row), a1 = _mm512_loadu_si512(row + 32);
            __m512i b0 = _mm512_loadu_si512(row + size), b1 = _mm512_loadu_si512(row + size + 32);
            __m512i pairs[4] = {_mm512_unpacklo_epi16(a0, b0), _mm512_unpackhi_epi16(a0, b0),
                                _mm512_unpacklo_epi16(a1, b1), _mm512_unpackhi_epi16(a1, b1)};
#pragma GCC unroll 4
            for (int i = 0; i < lanes; i++) {
                int weight;
                memcpy(&weight, f->weights[first + i] + token + j, 4);
#pragma GCC unroll 4
                for (int x = 0; x < 4; x++)
                    sum[i][x] = (vf)_mm512_dpbf16_ps((__m512)sum[i][x], (__m512bh)_mm512_set1_epi32(weight),
                                                     (__m512bh)pairs[x]);
            }
#else
            vf values[T(SPAN) / LANES];
#pragma GCC unroll 4
            for (int x = 0; x < T(SPAN) / LANES; x++) values[x] = T(load)(row + x * LANES);
#pragma GCC unroll 4
            for (int i = 0; i < lanes; i++)
#pragma GCC unroll 4
                for (int x = 0; x < T(SPAN) / LANES; x++) sum[i][x] += values[x] * f->weights[first + i][token + j];
#endif
        }
#pragma GCC unroll 4
        for (int i = 0; i < lanes; i++)
#pragma GCC unroll 4
            for (int x = 0; x < T(SPAN) / LANES; x++) NAME(store)(f->sum[first + i] + d + x * LANES, sum[i][x]);
    }
}

static TARGET void T(flat_unit)(const Attention *a, const Unit *u) {
    T(Flat) f;
    element copy[GROUP * MAX_SIZE];
    const int size = (int)a->size, lanes = (int)(u->rows * a->group);
    const int64_t first = u->chunk * CHUNK;
    const int tokens = (int)least(CHUNK, u->piece->length - first);
    for (int lane = 0; lane < lanes; lane++) {
        int64_t row = u->piece->row + u->row + lane / a->group, head = u->head * a->group + lane % a->group;
        const element *q = (const element *)a->q + (row * a->heads + head) * size;
#if ELEMENT_BF16 && PAIRS == 1
        T(widen)(f.q[lane], q, size);
#else
        memcpy(f.q[lane], q, sizeof(element) * (size_t)size);
#endif
        memset(f.sum[lane], 0, 4 * (size_t)size);
    }
    Walk walk = walk_from(a, u->piece, u->head, first);
    for (int token = 0, some; token < tokens; token += some) {
        const void *k;
#if ELEMENT_BF16 && PAIRS == 1
        float words[GROUP * MAX_SIZE];
        some = GROUP;
        walk_take(&walk, least(GROUP, tokens - token), GROUP, &k, NULL, (char *)copy, NULL);
        T(widen)(words, k, GROUP * size);
        k = words;
#else
        some = (int)walk_groups(&walk, tokens - token, &k, NULL, (char *)copy, NULL);
#endif
        for (int lane = 0; lane < lanes; lane++) {
            if (size == 64)
                T(flat_scores)(f.scores[lane] + token, f.q[lane], k, some, 64);
            else
                T(flat_scores)(f.scores[lane] + token, f.q[lane], k, some, 128);
        }
    }
    for (int lane = 0; lane < lanes; lane++) T(flat_weights)(&f, lane, tokens, a->scale);
    walk = walk_from(a, u->piece, u->head, first);
    for (int token = 0, some; token < tokens; token += some) {
        const void *v;
        some = (int)walk_groups(&walk, tokens - token, NULL, &v, NULL, (char *)copy);
        for (int lane = 0; lane < lanes; lane += 4) {
            switch (least(4, lanes - lane)) {
                case 1: T(flat_values)(&f, lane, token, v, some, size, 1); break;
                case 2: T(flat_values)(&f, lane, token, v, some, size, 2); break;
                case 3: T(flat_values)(&f, lane, token, v, some, size, 3); break;
                case 4: T(flat_values)(&f, lane, token, v, some, size, 4); break;
            }
        }
    }
    for (int lane = 0; lane < lanes; lane++) {
#if PAIRS == 2
        const __m512i order = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
        const __m512i rest = _mm512_add_epi32(order, _mm512_set1_epi32(8));
        for (int d = 0; d < size; d += 32) {
            __m512 low = _mm512_load_ps(f.sum[lane] + d), high = _mm512_load_ps(f.sum[lane] + d + 16);
            _mm512_store_ps(f.sum[lane] + d, _mm512_permutex2var_ps(low, order, high));
            _mm512_store_ps(f.sum[lane] + d + 16, _mm512_permutex2var_ps(low, rest, high));
        }
#endif
        T(finish)(a, u, lane, f.sum[lane], f.top[lane], f.mass[lane]);
    }
}

#undef PAIRS
