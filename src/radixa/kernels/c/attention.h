/* What attention works on: a step's pieces, and the walk along the runs of slots of one.

   A piece is a range of query rows and the slots they attend to together: a shared tree node with all rows below it, or
   one sequence with what it attends to alone. A long piece is cut into chunks of CHUNK tokens, counted from the piece's
   first token, so that the sums in a result never depend on how many threads there are. */

enum { CHUNK = 512, BLOCK = 64, GROUP = 16, MAX_SIZE = 128, TILE_VECTORS = 3, FLAT_LANES = 8 };

/* Scores start from here: far below any, and finite, so that a difference of two is never NaN. */
#define LOWEST -1e30f
#define MASKED -1e38f

typedef struct {
    int64_t row, rows;    /* query rows of the step */
    int64_t run, length;  /* its first run of slots; its tokens */
    int64_t causal;       /* the rows are the last tokens of the piece, and each sees those up to itself */
    int64_t partial;      /* its first row of partial results; -1 where the result is final */
} Piece;

typedef struct {
    int64_t start, length;
} Run;

/* The rows of one sequence, and the pieces whose partial results are theirs, in order. */
typedef struct {
    int64_t row, rows, item, items;
} Merge;

typedef struct {
    const void *q, *k, *v;  /* q [rows, heads, size]; k, v [kv_heads, capacity, size] */
    void *out;              /* [rows, heads, size] */
    float *partial;         /* [partial rows, heads, size] sums of weighted values, not divided */
    float *mass;            /* [partial rows, heads, 2] largest score (in powers of 2), sum of weights */
    int64_t heads, kv_heads, group, size, capacity;
    float scale;            /* of scores, times log2(e): weights are powers of 2 */
    const Piece *pieces;
    const Run *runs;
    const Merge *merges;
    const int64_t *items;
    int64_t piece_count, merge_count;
    int bf16;
    /* The counters of `next_item`, on a cache line of their own: all threads write them, and read the rest. */
    int64_t next __attribute__((aligned(128)));
    int64_t next_merge;
} Attention;

/* One thread's work at a time: one kv head, some rows of a piece, one chunk of its tokens. */
typedef struct {
    const Piece *piece;
    int64_t head, row, rows, chunk;
} Unit;

static inline int64_t chunks_of(int64_t tokens) { return (tokens + CHUNK - 1) / CHUNK; }

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Tokens of the piece that its row `row` (counted from the piece's first) sees. */
static inline int64_t visible(const Piece *piece, int64_t row) {
    return piece->causal ? piece->length - piece->rows + row + 1 : piece->length;
}

typedef struct {
    const Run *run;
    int64_t used;
    const char *k, *v;  /* of the kv head */
    int64_t row_bytes;
} Walk;

static Walk walk_from(const Attention *a, const Piece *piece, int64_t head, int64_t token) {
    int64_t row_bytes = a->size * (a->bf16 ? 2 : 4);
    Walk w = {a->runs + piece->run, token, (const char *)a->k + head * a->capacity * row_bytes,
              (const char *)a->v + head * a->capacity * row_bytes, row_bytes};
    while (w.used >= w.run->length) w.used -= (w.run++)->length;
    return w;
}

/* The next `count` tokens' K (or V, or both) as one matrix of `padded` rows: as they lie where one run holds them all,
   else copied, the rows beyond `count` zero. */
static void walk_take(Walk *w, int64_t count, int64_t padded, const void **k, const void **v, char *k_copy, char *v_copy) {
    if (w->used == w->run->length) {
        w->run++;
        w->used = 0;
    }
    if (count == padded && w->run->length - w->used >= count) {
        int64_t at = (w->run->start + w->used) * w->row_bytes;
        if (k) *k = w->k + at;
        if (v) *v = w->v + at;
        w->used += count;
    } else {
        int64_t done = 0;
        while (done < count) {
            if (w->used == w->run->length) {
                w->run++;
                w->used = 0;
            }
            int64_t some = least(count - done, w->run->length - w->used);
            int64_t at = (w->run->start + w->used) * w->row_bytes;
            if (k) memcpy(k_copy + done * w->row_bytes, w->k + at, (size_t)(some * w->row_bytes));
            if (v) memcpy(v_copy + done * w->row_bytes, w->v + at, (size_t)(some * w->row_bytes));
            done += some;
            w->used += some;
        }
        if (k) memset(k_copy + count * w->row_bytes, 0, (size_t)((padded - count) * w->row_bytes));
        if (v) memset(v_copy + count * w->row_bytes, 0, (size_t)((padded - count) * w->row_bytes));
        if (k) *k = k_copy;
        if (v) *v = v_copy;
    }
}

/* As many of the next `count` tokens as lie in whole groups in one run, else one group, copied; returns how many. */
static int64_t walk_groups(Walk *w, int64_t count, const void **k, const void **v, char *k_copy, char *v_copy) {
    int64_t here = w->run->length - w->used;
    if (here == 0) here = w->run[1].length;
    int64_t whole = least(count, here) / GROUP * GROUP;
    walk_take(w, whole ? whole : least(count, GROUP), whole ? whole : GROUP, k, v, k_copy, v_copy);
    return whole ? whole : GROUP;
}
