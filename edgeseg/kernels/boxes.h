/* Sums over boxes of 2, 4, 8 … pixels, which make a plane small with every pixel of it counted. */

#ifndef EDGESEG_BOXES_H
#define EDGESEG_BOXES_H

#include "rows.h"

/* So many pixels of 255 have a sum of 16 bits. */
#define MOST_PIXELS 256

/* Sums of two pixels beside each other, added to what is there. */
static inline void add_pairs(const uint8_t *restrict row, ptrdiff_t count, uint16_t *restrict sums) {
    for (ptrdiff_t x = 0; x < count; x++) {
        uint16_t pair;
        memcpy(&pair, row + 2 * x, sizeof pair);
        sums[x] = (uint16_t)(sums[x] + (pair & 255) + (pair >> 8));
    }
}

/* Sums of two by two pixels, in the place of what is there. */
static inline void sum_squares(const uint8_t *restrict row, ptrdiff_t stride, ptrdiff_t count, uint16_t *restrict sums) {
    const uint8_t *restrict below = row + stride;
    fetch(row, stride, 2 * count);
    fetch(below, stride, 2 * count);
    for (ptrdiff_t x = 0; x < count; x++) {
        uint16_t one, two;
        memcpy(&one, row + 2 * x, sizeof one);
        memcpy(&two, below + 2 * x, sizeof two);
        sums[x] = (uint16_t)((one & 255) + (one >> 8) + (two & 255) + (two >> 8));
    }
}

static inline void add_pixels(const uint8_t *restrict row, ptrdiff_t count, uint16_t *restrict sums) {
    for (ptrdiff_t x = 0; x < count; x++) sums[x] = (uint16_t)(sums[x] + row[x]);
}

static inline void halve(const uint16_t *restrict sums, ptrdiff_t count, uint16_t *restrict halved) {
    for (ptrdiff_t x = 0; x < count; x++) {
        uint32_t pair;
        memcpy(&pair, sums + 2 * x, sizeof pair);
        halved[x] = (uint16_t)((pair & 65535) + (pair >> 16));
    }
}

/* The sums of row ``number`` of boxes, of which there are ``count`` across, of at most MOST_PIXELS each.
 * ``one`` and ``two`` are scratch rows as wide as the plane; the sums are in the one that is returned. */
static inline const uint16_t *sum_boxes(const plane *from, ptrdiff_t number, ptrdiff_t box_width, ptrdiff_t box_height,
                                        ptrdiff_t count, uint16_t *one, uint16_t *two) {
    const uint8_t *row = from->pixels + number * box_height * from->stride;
    ptrdiff_t sums = box_width > 1 ? count * (box_width / 2) : count;
    ptrdiff_t y = 0;
    if (box_width > 1 && box_height > 1) {
        sum_squares(row, from->stride, sums, one);
        y = 2, row += 2 * from->stride;
    } else {
        memset(one, 0, (size_t)sums * sizeof *one);
    }
    for (; y < box_height; y++, row += from->stride) {
        fetch(row, from->stride, from->width);
        if (box_width > 1) add_pairs(row, sums, one);
        else add_pixels(row, sums, one);
    }
    for (ptrdiff_t width = box_width; width > 2; width /= 2) {
        sums /= 2;
        halve(one, sums, two);
        uint16_t *spare = one;
        one = two;
        two = spare;
    }
    return one;
}

#endif
