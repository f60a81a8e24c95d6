/* What the kernels have in common: planes, and where the pixels of one size lie between those of another.
 *
 * All of them are plain C in loops that a compiler turns into vector instructions by itself (AVX2, NEON), so that one
 * source serves every processor. Beside each of them stands the same in OpenCV, for machines without a compiler.
 */

#ifndef EDGESEG_ROWS_H
#define EDGESEG_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Rows that were made larger or smaller are in units of 1/64, which leaves room for the sign and the double of a
 * difference in 16 bits. */
#define FRACTION_BITS 6
#define ONE (1 << FRACTION_BITS)
/* So many elements may be read and written beyond the end of a scratch row, so that loops need not end exactly. */
#define SPARE 32
/* Rows that are asked for ahead of time. Several streams at once, in short runs, are more than a processor guesses by
 * itself: it saves a fifth of the time (docs/decisions/0005). */
#define AHEAD 4
#define CACHE_LINE 64

/* Rows are a stride of bytes apart. Made of NumPy's arrays by ``edgeseg_planes`` (arrays.c). */
typedef struct {
    uint8_t *pixels;
    ptrdiff_t stride, width, height;
} plane;

/* Where the pixels of one axis lie between the cells of another (pixel centres, ends repeated). */
typedef struct {
    int32_t *low;    /* [pixels] the cell at or before the pixel */
    int32_t *first;  /* [cells + 1] the first pixel of that cell or a later one */
    int16_t *weight; /* [pixels] how far a pixel is towards the next cell, 0..32767 */
} axis;

/* The part ``weight`` / 32768 of a step, from twice the step: the upper half of a product, which processors have an
 * instruction for. */
static inline int16_t part_of(int16_t twice_the_step, int16_t weight) {
    return (int16_t)((int32_t)twice_the_step * weight >> 16);
}

/* Asks for what will be read AHEAD rows below. Beyond the plane that does nothing.
 *
 * Into the second cache: a processor waits for more lines on their way there than on their way into the first, which is
 * what counts when a plane comes from memory. */
static inline void fetch(const uint8_t *row, ptrdiff_t stride, ptrdiff_t length) {
    for (ptrdiff_t x = 0; x < length; x += CACHE_LINE) __builtin_prefetch(row + AHEAD * stride + x, 0, 2);
}

/* The same, into the first: better where no more than a part of each row is read. */
static inline void fetch_near(const uint8_t *row, ptrdiff_t stride, ptrdiff_t length) {
    for (ptrdiff_t x = 0; x < length; x += CACHE_LINE) __builtin_prefetch(row + AHEAD * stride + x, 0, 3);
}

/* The same for what will be written. */
static inline void fetch_to_write(const uint8_t *row, ptrdiff_t stride, ptrdiff_t length) {
    for (ptrdiff_t x = 0; x < length; x += CACHE_LINE) __builtin_prefetch(row + AHEAD * stride + x, 1, 2);
}

/* Gives out memory from one block, so that there is one thing to free. */
static inline void *take(char **room, size_t bytes) {
    void *piece = *room;
    *room += (bytes + 63) & ~(size_t)63;
    return piece;
}

static inline int16_t *take_row(char **room, ptrdiff_t width) {
    return take(room, ((size_t)width + SPARE) * sizeof(int16_t));
}

/* Enough for ``count`` pieces of ``bytes`` together. */
static inline size_t room_for(size_t count, size_t bytes) {
    return bytes + 64 * count;
}

static inline size_t row_bytes(ptrdiff_t width) {
    return ((size_t)width + SPARE) * sizeof(int16_t) + 64;
}

static inline size_t axis_bytes(ptrdiff_t pixels, ptrdiff_t cells) {
    return room_for(3, (size_t)pixels * sizeof(int32_t) + ((size_t)cells + 1) * sizeof(int32_t) + row_bytes(pixels));
}

static inline axis take_axis(char **room, ptrdiff_t pixels, ptrdiff_t cells) {
    axis on = {
        .low = take(room, (size_t)pixels * sizeof(int32_t)),
        .first = take(room, ((size_t)cells + 1) * sizeof(int32_t)),
        .weight = take_row(room, pixels),
    };
    double step = (double)cells / (double)pixels;
    int32_t c = 0;
    for (int32_t x = 0; x < pixels; x++) {
        double at = (x + 0.5) * step - 0.5, end = (double)(cells - 1);
        at = at < 0 ? 0 : at > end ? end : at;
        on.low[x] = (int32_t)at;
        int32_t weight = (int32_t)((at - on.low[x]) * 32768 + 0.5);
        on.weight[x] = (int16_t)(weight > 32767 ? 32767 : weight);
        while (c <= on.low[x]) on.first[c++] = x;
    }
    while (c <= cells) on.first[c++] = (int32_t)pixels;
    return on;
}

/* The pixels of a row, from the cells that they lie between. There is one cell more than the axis has: the last again.
 *
 * Each cell and the next are fetched as one number, so that vectors do the rest: all sampling takes a fifth less
 * time. ``pairs`` is scratch. */
static inline void take_between(const int16_t *restrict cells, const axis *on, ptrdiff_t count, uint32_t *restrict pairs,
                                int16_t *restrict row) {
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a cell is the lower half of the two"
#endif
    const int32_t *restrict low = on->low;
    const int16_t *restrict weight = on->weight;
    for (ptrdiff_t x = 0; x < count; x++) memcpy(pairs + x, cells + low[x], sizeof *pairs);
    for (ptrdiff_t x = 0; x < count; x++) {
        int16_t cell = (int16_t)(pairs[x] & 65535), next = (int16_t)(pairs[x] >> 16);
        row[x] = (int16_t)(cell + part_of((int16_t)(2 * (next - cell)), weight[x]));
    }
}

static inline uint32_t *take_pairs(char **room, ptrdiff_t width) {
    return take(room, ((size_t)width + SPARE) * sizeof(uint32_t));
}

static inline size_t pairs_bytes(ptrdiff_t width) {
    return ((size_t)width + SPARE) * sizeof(uint32_t) + 64;
}

#endif
