/* Mixes planes by a mask of the model's size, which is enlarged on the way and never exists at the planes' size.
 *
 * Plain C in loops that a compiler turns into vector instructions by itself (AVX2, NEON), so that one
 * source serves every processor. edgeseg/effects/_blend_opencv.py does the same with OpenCV, to within 1.
 *
 * The way of a row of pixels: it lies between two rows of mask cells. For each such pair of rows the cells are sorted
 * once into runs that are wholly hidden, wholly kept, or mixed. The first two are copied, or left alone where they are
 * in place already; only the mixed ones, a few per cent of a picture with a person in it, are enlarged and computed.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Enlarged rows are in units of 1/64, which leaves room for the sign and the double of a difference. */
#define FRACTION_BITS 6
#define ONE (1 << FRACTION_BITS)
#define BLOCK 8

/* Where the pixels of one axis lie between the cells of a smaller one (pixel centres, ends repeated). */
typedef struct {
    int32_t *low;    /* [pixels] the cell at or before the pixel */
    int32_t *first;  /* [cells + 1] the first pixel of that cell or a later one */
    int16_t *weight; /* [pixels] how far a pixel is towards the next cell, 0..32767 */
} axis;

typedef enum { HIDDEN, MIXED, KEPT } kind;

typedef struct {
    int32_t start, stop; /* in cells */
    kind kind;
} run;

/* The part ``weight`` / 32768 of a step, from twice the step: the upper half of a product, which processors have an
 * instruction for. */
static inline int16_t part_of(int16_t twice_the_step, int16_t weight) {
    return (int16_t)((int32_t)twice_the_step * weight >> 16);
}

static void place(axis on, int pixels, int cells) {
    double step = (double)cells / pixels;
    int c = 0;
    for (int x = 0; x < pixels; x++) {
        double at = (x + 0.5) * step - 0.5;
        at = at < 0 ? 0 : at > cells - 1 ? cells - 1 : at;
        on.low[x] = (int32_t)at;
        int32_t weight = (int32_t)((at - on.low[x]) * 32768 + 0.5);
        on.weight[x] = (int16_t)(weight > 32767 ? 32767 : weight);
        while (c <= on.low[x]) on.first[c++] = x;
    }
    while (c <= cells) on.first[c++] = pixels;
    memset(on.weight + pixels, 0, BLOCK * sizeof *on.weight);
}

/* The cells [start, stop) enlarged to the pixels between them and the next, in units of 1/64. Pixels are written in blocks
 * of BLOCK, so that a compiler need not ask how many there are; what is too much, the next cell overwrites. */
static void enlarge(const uint8_t *restrict cells, int last, axis on, int start, int stop, int16_t *restrict row) {
    for (int c = start; c < stop; c++) {
        int16_t here = (int16_t)(cells[c] << FRACTION_BITS);
        int16_t twice = (int16_t)(2 * ((cells[c < last ? c + 1 : last] << FRACTION_BITS) - here));
        for (int x = on.first[c]; x < on.first[c + 1]; x += BLOCK) {
            for (int i = 0; i < BLOCK; i++) {
                int16_t part = part_of(twice, on.weight[x + i]);
                row[x + i] = (int16_t)(here + part);
            }
        }
    }
}

/* What lies between two enlarged rows, as whole levels. */
static void between(const int16_t *restrict above, const int16_t *restrict below, int16_t weight, int count,
                    uint8_t *restrict row) {
    for (int x = 0; x < count; x++) {
        int16_t twice = (int16_t)(2 * (below[x] - above[x]));
        int16_t part = part_of(twice, weight);
        int16_t value = (int16_t)(above[x] + part + ONE / 2);
        row[x] = (uint8_t)(value >> FRACTION_BITS);
    }
}

/* out = (keep * alpha + other * (255 - alpha)) / 255, rounded. ``out`` may be ``other``. */
static void mix(const uint8_t *keep, const uint8_t *other, const uint8_t *restrict alpha, int count, uint8_t *out) {
    for (int x = 0; x < count; x++) {
        uint16_t sum = (uint16_t)(keep[x] * alpha[x] + other[x] * (255 - alpha[x]) + 128);
        out[x] = (uint8_t)((uint16_t)(sum + (sum >> 8)) >> 8);
    }
}

/* How many of the first ``count`` kinds are like the first one. */
static int alike(const uint8_t *kinds, int count) {
    uint64_t wanted = kinds[0] * UINT64_C(0x0101010101010101), found;
    int c = 0;
    while (c + 8 <= count && (memcpy(&found, kinds + c, 8), found == wanted)) c += 8;
    while (c < count && kinds[c] == kinds[0]) c++;
    return c;
}

/* The runs of pixels between two rows of cells; returns how many. ``kinds`` has room for one more than ``cells``. */
static int sort(const uint8_t *restrict above, const uint8_t *restrict below, int cells, axis on,
                uint8_t *restrict any, uint8_t *restrict kinds, run *runs) {
    for (int c = 0; c < cells; c++) {
        any[c] = above[c] | below[c];
        kinds[c] = above[c] & below[c];
    }
    any[cells] = any[cells - 1];
    kinds[cells] = kinds[cells - 1];
    for (int c = 0; c < cells; c++) { /* a pixel lies between its cell and the next */
        uint8_t seen = any[c] | any[c + 1], whole = kinds[c] & kinds[c + 1];
        kinds[c] = seen == 0 ? HIDDEN : whole == 255 ? KEPT : MIXED;
    }
    int count = 0;
    for (int c = 0, next; c < cells; c = next) {
        next = c + alike(kinds + c, cells - c);
        if (on.first[next] > on.first[c]) runs[count++] = (run){c, next, (kind)kinds[c]};
    }
    return count;
}

typedef struct {
    const uint8_t *pixels;
    ptrdiff_t stride;
    int width, height;
} plane;

/* The two rows of a small plane that a row of pixels lies between, enlarged across and kept while they are needed. */
typedef struct {
    plane small;
    axis across, down;
    int16_t *rows[2];
    int32_t held[2]; /* which rows of ``small`` they are; -1 none */
} enlarger;

static const int16_t *row_of(enlarger *from, int32_t number, int32_t other) {
    for (int slot = 0; slot < 2; slot++) {
        if (from->held[slot] == number) return from->rows[slot];
    }
    int slot = from->held[0] == other ? 1 : 0;
    enlarge(from->small.pixels + number * from->small.stride, from->small.width - 1, from->across, 0, from->small.width,
            from->rows[slot]);
    from->held[slot] = number;
    return from->rows[slot];
}

/* Gives out memory from one block, so that there is one thing to free. */
static void *take(char **room, size_t bytes) {
    void *piece = *room;
    *room += (bytes + 63) & ~(size_t)63;
    return piece;
}

/* Enough for everything that edgeseg_blend takes. */
static size_t room_for(size_t width, size_t height, size_t cells) {
    size_t axes = 2 * (width + height) * (sizeof(int32_t) + sizeof(int16_t)) + 2 * (cells + 2) * sizeof(int32_t);
    size_t rows = width * (4 * sizeof(int16_t) + 2 * sizeof(uint8_t) + sizeof(run)) + 2 * (cells + 1);
    return axes + rows + 24 * 64 + 8 * BLOCK * sizeof(int16_t);
}

static axis take_axis(char **room, int pixels, int cells) {
    axis on = {
        .low = take(room, (size_t)pixels * sizeof(int32_t)),
        .first = take(room, ((size_t)cells + 1) * sizeof(int32_t)),
        .weight = take(room, ((size_t)pixels + BLOCK) * sizeof(int16_t)),
    };
    place(on, pixels, cells);
    return on;
}

/* out = keep where the mask is 255, other where it is 0, and a mixture between.
 *
 * keep and out are width x height. other is other_width x other_height: of the same size, or a smaller plane that is
 * enlarged (bilinear). other may be out. mask is mask_width x mask_height; all rows are a stride of bytes apart.
 * Returns 0, or -1 when there is no memory for the scratch rows. */
int edgeseg_blend(const uint8_t *keep, ptrdiff_t keep_stride, const uint8_t *other, ptrdiff_t other_stride,
                  int other_width, int other_height, uint8_t *out, ptrdiff_t out_stride, int width, int height,
                  const uint8_t *mask, ptrdiff_t mask_stride, int mask_width, int mask_height) {
    char *block = malloc(room_for((size_t)width, (size_t)height, (size_t)(mask_width + mask_height + other_width + other_height)));
    if (!block) return -1;
    char *room = block;
    size_t padded = ((size_t)width + BLOCK) * sizeof(int16_t);
    int small = other_width != width || other_height != height;
    axis across = take_axis(&room, width, mask_width), down = take_axis(&room, height, mask_height);
    enlarger from = {.small = {other, other_stride, other_width, other_height}, .held = {-1, -1}};
    int16_t *above = take(&room, padded), *below = take(&room, padded);
    uint8_t *alpha = take(&room, (size_t)width), *soft = take(&room, (size_t)width);
    uint8_t *any = take(&room, (size_t)mask_width + 1), *kinds = take(&room, (size_t)mask_width + 1);
    run *runs = take(&room, (size_t)width * sizeof *runs);
    if (small) {
        from.across = take_axis(&room, width, other_width);
        from.down = take_axis(&room, height, other_height);
        for (int slot = 0; slot < 2; slot++) from.rows[slot] = take(&room, padded);
    }
    int count = 0;
    for (int y = 0; y < height; y++) {
        int32_t low = down.low[y];
        if (y == 0 || low != down.low[y - 1]) {
            const uint8_t *first = mask + low * mask_stride;
            const uint8_t *second = low < mask_height - 1 ? first + mask_stride : first;
            count = sort(first, second, mask_width, across, any, kinds, runs);
            for (int r = 0; r < count; r++) {
                if (runs[r].kind != MIXED) continue;
                enlarge(first, mask_width - 1, across, runs[r].start, runs[r].stop, above);
                enlarge(second, mask_width - 1, across, runs[r].start, runs[r].stop, below);
            }
        }
        const int16_t *upper = NULL, *lower = NULL;
        if (small) {
            int32_t one = from.down.low[y], two = one < other_height - 1 ? one + 1 : one;
            upper = row_of(&from, one, two);
            lower = row_of(&from, two, one);
        }
        const uint8_t *kept = keep + y * keep_stride, *hidden = small ? soft : other + y * other_stride;
        uint8_t *target = out + y * out_stride;
        for (int r = 0; r < count; r++) {
            int x = across.first[runs[r].start], length = across.first[runs[r].stop] - x;
            if (runs[r].kind == KEPT) {
                memmove(target + x, kept + x, (size_t)length);
                continue;
            }
            uint8_t *into = runs[r].kind == HIDDEN ? target : soft;
            if (small) {
                between(upper + x, lower + x, from.down.weight[y], length, into + x);
            } else if (runs[r].kind == HIDDEN && hidden != target) {
                memcpy(target + x, hidden + x, (size_t)length);
            }
            if (runs[r].kind == MIXED) {
                between(above + x, below + x, down.weight[y], length, alpha + x);
                mix(kept + x, hidden + x, alpha + x, length, target + x);
            }
        }
    }
    free(block);
    return 0;
}

/* Whether this processor knows the instructions that this library was compiled to. */
int edgeseg_supported(void) {
#ifdef __AVX2__
    return __builtin_cpu_supports("avx2") != 0;
#else
    return 1;
#endif
}
