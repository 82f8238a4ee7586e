/* The operations on a row of a step: what each is given. Included by `cpu.c`; `ops.h` computes. */

typedef struct {
    const void *x, *weight; /* x [rows, size], weight [size] */
    float *residual;        /* [rows, size], or NULL: x is added to it first */
    void *out;              /* [rows, size] */
    int64_t rows, size;
    float eps;
} Norm;

typedef struct {
    const void *qkv;            /* [rows, (heads + 2 kv_heads) * size] */
    const float *cosine, *sine; /* [rows, size / 2] */
    const int64_t *slots;       /* [rows] */
    void *k, *v, *q;            /* k, v [kv_heads, capacity, size]; q [rows, heads, size] */
    const void *q_norm, *k_norm; /* [size], or NULL */
    int64_t rows, heads, kv_heads, size, capacity;
    float eps;
} Rope;

typedef struct {
    const void *gate_up; /* [rows, 2 size] */
    void *out;           /* [rows, size] */
    int64_t rows, size;
} Silu;
