/* Mixes planes by a mask of the model's size, which is enlarged on the way and never exists at the planes' size.
 *
 * edgeseg/effects/_blend_opencv.py does the same with OpenCV, to within 1.
 *
 * The way of a row of pixels: it lies between two rows of mask cells. For each such pair of rows the cells are sorted
 * once, for all planes, into runs that are wholly hidden, wholly kept, or mixed. The first two are copied, or left alone
 * where they are in place already; only the mixed ones, a few per cent of a picture with a person in it, are enlarged
 * and computed.
 */

#include "rows.h"

/* Pixels that are computed at once. Runs are short: what is left over behind vectors would be most of them. */
#define BLOCK 16
/* Cells whose steps to the next are computed at once. */
#define CELLS 64
#define MOST_PLANES 4

typedef enum { HIDDEN, MIXED, KEPT } kind;

typedef struct {
    int32_t start, stop; /* in cells */
    kind kind;
} run;

/* How the mask lies on planes of one size, and its two rows of now, enlarged across. */
typedef struct {
    ptrdiff_t width, height;
    axis across, down;
    int16_t *above, *below;
    uint8_t *alpha;
} grid;

/* A plane that is smaller than what it goes into: the two of its rows that a row of pixels lies between, enlarged across
 * and kept while they are needed. */
typedef struct {
    axis across, down;
    int16_t *rows[2];
    ptrdiff_t held[2]; /* which rows they are; -1 none */
} enlarger;

typedef struct {
    const plane *keep, *other, *out;
    const grid *on;
    enlarger from; /* where ``other`` is smaller */
    int is_small;
    uint8_t *soft;
} layer;

/* The cells [start, stop) enlarged to the pixels between them and the next, in units of 1/64. Pixels are written in blocks
 * of eight, so that a compiler need not ask how many there are; what is too much, the next cell overwrites. */
static void enlarge(const uint8_t *restrict cells, ptrdiff_t last, axis on, ptrdiff_t start, ptrdiff_t stop,
                    int16_t *restrict row) {
    int16_t here[CELLS], twice[CELLS];
    for (ptrdiff_t c = start; c < stop; c += CELLS) {
        ptrdiff_t count = stop - c < CELLS ? stop - c : CELLS, followed = last - c < count ? last - c : count;
        for (ptrdiff_t i = 0; i < followed; i++) {
            here[i] = (int16_t)(cells[c + i] << FRACTION_BITS);
            twice[i] = (int16_t)((cells[c + i + 1] - cells[c + i]) * 2 * ONE);
        }
        if (followed < count) here[followed] = (int16_t)(cells[last] << FRACTION_BITS), twice[followed] = 0;
        for (ptrdiff_t i = 0; i < count; i++) {
            for (int32_t x = on.first[c + i]; x < on.first[c + i + 1]; x += 8) {
                for (int j = 0; j < 8; j++) row[x + j] = (int16_t)(here[i] + part_of(twice[i], on.weight[x + j]));
            }
        }
    }
}

/* A pixel between two enlarged rows, as a whole level. */
static inline uint8_t level_between(int16_t above, int16_t below, int16_t weight) {
    int16_t part = part_of((int16_t)(2 * (below - above)), weight);
    int16_t value = (int16_t)(above + part + ONE / 2);
    return (uint8_t)(value >> FRACTION_BITS);
}

static void between(const int16_t *restrict above, const int16_t *restrict below, int16_t weight, ptrdiff_t count,
                    uint8_t *restrict row) {
    for (ptrdiff_t x = 0; x < count; x++) row[x] = level_between(above[x], below[x], weight);
}

/* The same for a scratch row, which has room for whole blocks. */
static void between_blocks(const int16_t *restrict above, const int16_t *restrict below, int16_t weight, ptrdiff_t count,
                           uint8_t *restrict row) {
    for (ptrdiff_t x = 0; x < count; x += BLOCK) {
        for (int i = 0; i < BLOCK; i++) row[x + i] = level_between(above[x + i], below[x + i], weight);
    }
}

/* out = (keep * alpha + other * (255 - alpha)) / 255, rounded. */
static inline void mix_block(const uint8_t *restrict keep, const uint8_t *restrict other, const uint8_t *restrict alpha,
                             uint8_t *restrict out) {
    for (int i = 0; i < BLOCK; i++) {
        uint16_t sum = (uint16_t)(keep[i] * alpha[i] + other[i] * (255 - alpha[i]) + 128);
        out[i] = (uint8_t)((uint16_t)(sum + (sum >> 8)) >> 8);
    }
}

/* Fewer bytes than a block, without a call. */
static inline void copy_few(uint8_t *restrict to, const uint8_t *restrict from, ptrdiff_t count) {
    ptrdiff_t x = 0;
    if (count & 8) memcpy(to, from, 8), x = 8;
    if (count & 4) memcpy(to + x, from + x, 4), x += 4;
    if (count & 2) memcpy(to + x, from + x, 2), x += 2;
    if (count & 1) to[x] = from[x];
}

/* Mixes ``count`` pixels. So many more as ``beyond`` may be read, but not written; ``alpha`` is a scratch row. ``out``
 * may be ``keep`` or ``other``. */
static void mix(const uint8_t *keep, const uint8_t *other, const uint8_t *alpha, ptrdiff_t count, ptrdiff_t beyond,
                uint8_t *out) {
    uint8_t mixed[BLOCK], above[BLOCK] = {0}, below[BLOCK] = {0};
    ptrdiff_t x = 0;
    for (; x + BLOCK <= count; x += BLOCK) {
        mix_block(keep + x, other + x, alpha + x, mixed);
        memcpy(out + x, mixed, BLOCK);
    }
    if (x == count) return;
    if (x + BLOCK <= count + beyond) {
        mix_block(keep + x, other + x, alpha + x, mixed);
    } else {
        copy_few(above, keep + x, count - x);
        copy_few(below, other + x, count - x);
        mix_block(above, below, alpha + x, mixed);
    }
    copy_few(out + x, mixed, count - x);
}

/* How many of the first ``count`` kinds are like the first one. */
static ptrdiff_t alike(const uint8_t *kinds, ptrdiff_t count) {
    uint64_t wanted = kinds[0] * UINT64_C(0x0101010101010101), found;
    ptrdiff_t c = 0;
    while (c + 8 <= count && (memcpy(&found, kinds + c, 8), found == wanted)) c += 8;
    while (c < count && kinds[c] == kinds[0]) c++;
    return c;
}

/* The runs of cells between two rows of them; returns how many. ``kinds`` has room for one more than ``cells``. */
static ptrdiff_t sort(const uint8_t *restrict above, const uint8_t *restrict below, ptrdiff_t cells, uint8_t *restrict any,
                      uint8_t *restrict kinds, run *runs) {
    for (ptrdiff_t c = 0; c < cells; c++) {
        any[c] = above[c] | below[c];
        kinds[c] = above[c] & below[c];
    }
    any[cells] = any[cells - 1];
    kinds[cells] = kinds[cells - 1];
    for (ptrdiff_t c = 0; c < cells; c++) { /* a pixel lies between its cell and the next */
        uint8_t seen = any[c] | any[c + 1], whole = kinds[c] & kinds[c + 1];
        kinds[c] = seen == 0 ? HIDDEN : whole == 255 ? KEPT : MIXED;
    }
    ptrdiff_t count = 0;
    for (ptrdiff_t c = 0, next; c < cells; c = next) {
        next = c + alike(kinds + c, cells - c);
        runs[count++] = (run){(int32_t)c, (int32_t)next, (kind)kinds[c]};
    }
    return count;
}

static const int16_t *row_of(layer *of, ptrdiff_t number, ptrdiff_t neighbour) {
    enlarger *from = &of->from;
    for (int slot = 0; slot < 2; slot++) {
        if (from->held[slot] == number) return from->rows[slot];
    }
    int slot = from->held[0] == neighbour ? 1 : 0;
    const plane *small = of->other;
    enlarge(small->pixels + number * small->stride, small->width - 1, from->across, 0, small->width, from->rows[slot]);
    from->held[slot] = number;
    return from->rows[slot];
}

/* One row of one plane, whose rows of the mask are in its grid. */
static void blend_row(layer *of, ptrdiff_t y, const run *runs, ptrdiff_t count) {
    const grid *on = of->on;
    const int16_t *upper = NULL, *lower = NULL;
    if (of->is_small) {
        ptrdiff_t one = of->from.down.low[y], two = one < of->other->height - 1 ? one + 1 : one;
        upper = row_of(of, one, two);
        lower = row_of(of, two, one);
    }
    const uint8_t *kept = of->keep->pixels + y * of->keep->stride;
    const uint8_t *hidden = of->is_small ? of->soft : of->other->pixels + y * of->other->stride;
    uint8_t *target = of->out->pixels + y * of->out->stride;
    for (ptrdiff_t r = 0; r < count; r++) {
        ptrdiff_t x = on->across.first[runs[r].start], length = on->across.first[runs[r].stop] - x;
        int other_is_read = runs[r].kind != KEPT && !of->is_small && hidden != target;
        fetch_to_write(target + x, of->out->stride, length);
        if (runs[r].kind != HIDDEN) fetch_near(kept + x, of->keep->stride, length);
        if (other_is_read) fetch(hidden + x, of->other->stride, length);
        if (runs[r].kind == MIXED) {
            if (of->is_small) between_blocks(upper + x, lower + x, of->from.down.weight[y], length, of->soft + x);
            mix(kept + x, hidden + x, on->alpha + x, length, on->width - x - length, target + x);
        } else if (runs[r].kind == KEPT) {
            memmove(target + x, kept + x, (size_t)length);
        } else if (of->is_small) {
            between(upper + x, lower + x, of->from.down.weight[y], length, target + x);
        } else if (other_is_read) {
            memcpy(target + x, hidden + x, (size_t)length);
        }
    }
}

/* The rows of pixels that lie between the rows ``low`` and ``low + 1`` of mask cells, in all planes of this grid. */
static void blend_band(const grid *on, layer *layers, int planes, const plane *mask, ptrdiff_t low, const run *runs,
                       ptrdiff_t count) {
    ptrdiff_t start = on->down.first[low], stop = on->down.first[low + 1];
    if (start == stop) return;
    const uint8_t *first = mask->pixels + low * mask->stride;
    const uint8_t *second = low < mask->height - 1 ? first + mask->stride : first;
    for (ptrdiff_t r = 0; r < count; r++) {
        if (runs[r].kind != MIXED) continue;
        enlarge(first, mask->width - 1, on->across, runs[r].start, runs[r].stop, on->above);
        enlarge(second, mask->width - 1, on->across, runs[r].start, runs[r].stop, on->below);
    }
    for (ptrdiff_t y = start; y < stop; y++) {
        for (ptrdiff_t r = 0; r < count; r++) {
            if (runs[r].kind != MIXED) continue;
            ptrdiff_t x = on->across.first[runs[r].start], length = on->across.first[runs[r].stop] - x;
            between_blocks(on->above + x, on->below + x, on->down.weight[y], length, on->alpha + x);
        }
        for (int p = 0; p < planes; p++) {
            if (layers[p].on == on) blend_row(&layers[p], y, runs, count);
        }
    }
}

static size_t bytes_for(const plane *mask, const plane *other, const plane *out, int planes) {
    size_t bytes = room_for(3, ((size_t)mask->width + 1) * (2 + sizeof(run)));
    for (int p = 0; p < planes; p++) {
        bytes += axis_bytes(out[p].width, mask->width) + axis_bytes(out[p].height, mask->height);
        bytes += axis_bytes(out[p].width, other[p].width) + axis_bytes(out[p].height, other[p].height);
        bytes += 6 * row_bytes(out[p].width);
    }
    return bytes;
}

static grid make_grid(char **room, const plane *out, const plane *mask) {
    return (grid){
        .width = out->width,
        .height = out->height,
        .across = take_axis(room, out->width, mask->width),
        .down = take_axis(room, out->height, mask->height),
        .above = take_row(room, out->width),
        .below = take_row(room, out->width),
        .alpha = take(room, (size_t)out->width + SPARE),
    };
}

static enlarger make_enlarger(char **room, const plane *out, const plane *small) {
    enlarger from = {
        .across = take_axis(room, out->width, small->width),
        .down = take_axis(room, out->height, small->height),
        .held = {-1, -1},
    };
    for (int slot = 0; slot < 2; slot++) from.rows[slot] = take_row(room, out->width);
    return from;
}

/* out = keep where the mask is 255, other where it is 0, and a mixture between, for each of 1 to 4 planes.
 *
 * ``all`` is the mask, then ``planes`` times keep, as many times other, as many times out. keep and out are of one size.
 * other is of the same, or smaller and then enlarged (bilinear); it may be out. A stride of 0 repeats a row.
 * Returns 0, or -1 when there is no memory for the scratch rows. */
int edgeseg_blend(const plane *all, int planes) {
    const plane *mask = all, *keep = all + 1, *other = keep + planes, *out = other + planes;
    char *block = calloc(1, bytes_for(mask, other, out, planes));
    if (!block) return -1;
    char *room = block;
    uint8_t *any = take(&room, (size_t)mask->width + 1), *kinds = take(&room, (size_t)mask->width + 1);
    run *runs = take(&room, (size_t)mask->width * sizeof *runs);
    grid grids[MOST_PLANES];
    layer layers[MOST_PLANES];
    int different = 0;
    for (int p = 0; p < planes; p++) {
        int g = 0;
        while (g < different && (grids[g].width != out[p].width || grids[g].height != out[p].height)) g++;
        if (g == different) grids[different++] = make_grid(&room, &out[p], mask);
        int small = other[p].width != out[p].width || other[p].height != out[p].height;
        layers[p] = (layer){.keep = &keep[p], .other = &other[p], .out = &out[p], .on = &grids[g], .is_small = small};
        if (small) {
            layers[p].from = make_enlarger(&room, &out[p], &other[p]);
            layers[p].soft = take(&room, (size_t)out[p].width + SPARE);
        }
    }
    for (ptrdiff_t low = 0; low < mask->height; low++) {
        const uint8_t *first = mask->pixels + low * mask->stride;
        ptrdiff_t count = sort(first, low < mask->height - 1 ? first + mask->stride : first, mask->width, any, kinds, runs);
        for (int g = 0; g < different; g++) blend_band(&grids[g], layers, planes, mask, low, runs, count);
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
