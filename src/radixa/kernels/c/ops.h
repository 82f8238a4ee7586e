/* One row of each operation of a decoder, in a single pass over memory: sums and products in float32, rounded once at the
   end. Sizes are multiples of LANES. Included once per element type; T(x) names its functions. */

/* 1 / rms of x. */
INLINE float T(inverse_rms)(const element *x, int64_t size, float eps) {
    vf squares = (vf){}, more = (vf){};
    int64_t i = 0;
    for (; i + 2 * LANES <= size; i += 2 * LANES) {
        vf a = T(load)(x + i), b = T(load)(x + i + LANES);
        squares += a * a;
        more += b * b;
    }
    if (i < size) squares += T(load)(x + i) * T(load)(x + i);
    return 1.0f / sqrtf(NAME(total)(squares + more) / (float)size + eps);
}

static TARGET void T(norm_row)(const void *work, int64_t row) {
    const Norm *n = work;
    const element *x = (const element *)n->x + row * n->size, *weight = n->weight;
    element *out = (element *)n->out + row * n->size;
    if (!n->residual) {
        float inverse = T(inverse_rms)(x, n->size, n->eps);
        for (int64_t i = 0; i < n->size; i += LANES) T(store)(out + i, T(load)(x + i) * inverse * T(load)(weight + i));
        return;
    }
    float *residual = n->residual + row * n->size;
    vf squares = (vf){};
    for (int64_t i = 0; i < n->size; i += LANES) {
        vf total = NAME(load)(residual + i) + T(load)(x + i);
        NAME(store)(residual + i, total);
        squares += total * total;
    }
    float inverse = 1.0f / sqrtf(NAME(total)(squares) / (float)n->size + n->eps);
    for (int64_t i = 0; i < n->size; i += LANES)
        T(store)(out + i, NAME(load)(residual + i) * inverse * T(load)(weight + i));
}

/* One head of q or k: normalised where it has a weight, then turned by its position. */
INLINE void T(rotate)(element *out, const element *x, const element *weight, const float *cosine, const float *sine,
                      int64_t size, float eps) {
    int64_t half = size / 2;
    float inverse = weight ? T(inverse_rms)(x, size, eps) : 1.0f;
    for (int64_t i = 0; i < half; i += LANES) {
        vf a = T(load)(x + i), b = T(load)(x + half + i), c = NAME(load)(cosine + i), s = NAME(load)(sine + i);
        if (weight) {
            a *= inverse * T(load)(weight + i);
            b *= inverse * T(load)(weight + half + i);
        }
        T(store)(out + i, a * c - b * s);
        T(store)(out + half + i, b * c + a * s);
    }
}

static TARGET void T(rope_row)(const void *work, int64_t row) {
    const Rope *r = work;
    const element *x = (const element *)r->qkv + row * (r->heads + 2 * r->kv_heads) * r->size;
    const float *cosine = r->cosine + row * (r->size / 2), *sine = r->sine + row * (r->size / 2);
    element *q = (element *)r->q + row * r->heads * r->size;
    for (int64_t head = 0; head < r->heads; head++)
        T(rotate)(q + head * r->size, x + head * r->size, r->q_norm, cosine, sine, r->size, r->eps);
    x += r->heads * r->size;
    for (int64_t head = 0; head < r->kv_heads; head++, x += r->size) {
        int64_t at = (head * r->capacity + r->slots[row]) * r->size;
        T(rotate)((element *)r->k + at, x, r->k_norm, cosine, sine, r->size, r->eps);
        memcpy((element *)r->v + at, x + r->kv_heads * r->size, sizeof(element) * (size_t)r->size);
    }
}

static TARGET void T(silu_row)(const void *work, int64_t row) {
    const Silu *s = work;
    const element *gate = (const element *)s->gate_up + row * 2 * s->size, *up = gate + s->size;
    element *out = (element *)s->out + row * s->size;
    for (int64_t i = 0; i < s->size; i += LANES) {
        /* From -87 down the result is 0 beside any other, and e^-x would leave the range of a float. */
        vf x = NAME(max)(NAME(splat)(-87.0f), T(load)(gate + i));
        vf power = NAME(exp2)(x * -1.4426950408889634f);
        T(store)(out + i, x / (power + 1.0f) * T(load)(up + i));
    }
}
