/* Calls the kernel with planes of every size and place, each in memory of its own, for a sanitizer to watch. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int edgeseg_blend(const uint8_t *, ptrdiff_t, const uint8_t *, ptrdiff_t, int, int, uint8_t *, ptrdiff_t, int, int,
                  const uint8_t *, ptrdiff_t, int, int);
int edgeseg_supported(void);

static uint32_t state = 1;

static int dice(int sides) {
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (uint32_t)sides);
}

/* Rows end where the memory ends, so that one byte too many is seen. */
static uint8_t *plane(int width, int height, int gap, int solid) {
    size_t bytes = (size_t)(width + gap) * (size_t)(height - 1) + (size_t)width;
    uint8_t *pixels = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) pixels[i] = solid && dice(40) ? (uint8_t)(solid == 1 ? 0 : 255) : (uint8_t)dice(256);
    return pixels;
}

int main(void) {
    if (!edgeseg_supported()) return 0;
    for (int round = 0; round < 4000; round++) {
        int width = 1 + dice(round % 7 ? 70 : 400), height = 1 + dice(40), cells_x = 1 + dice(40), cells_y = 1 + dice(40);
        int same = dice(2), gap = dice(3) * 5, solid = dice(3);
        int other_width = same ? width : 1 + dice(width), other_height = same ? height : 1 + dice(height);
        uint8_t *keep = plane(width, height, gap, 0), *other = plane(other_width, other_height, gap, 0);
        uint8_t *mask = plane(cells_x, cells_y, 0, solid);
        int in_place = same && dice(4) == 0;
        uint8_t *out = in_place ? other : plane(width, height, gap, 0);
        if (edgeseg_blend(keep, width + gap, other, other_width + gap, other_width, other_height, out, width + gap, width,
                          height, mask, cells_x, cells_x, cells_y))
            return 1;
        for (int y = 0; y < height; y++) { /* never outside of what it was mixed from */
            for (int x = 0; x < width && same && !in_place; x++) {
                uint8_t a = keep[y * (width + gap) + x], b = other[y * (width + gap) + x], c = out[y * (width + gap) + x];
                if (c < (a < b ? a : b) || c > (a < b ? b : a)) {
                    printf("%d is not between %d and %d\n", c, a, b);
                    return 2;
                }
            }
        }
        free(keep);
        free(mask);
        free(other);
        if (!in_place) free(out);
    }
    puts("4000 rounds");
    return 0;
}
