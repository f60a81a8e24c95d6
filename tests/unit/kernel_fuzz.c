/* Calls the kernels with planes of every size and place, each in memory of its own, for a sanitizer to watch. */

#include <stdio.h>

#include "rows.h"

#define ROUNDS 4000

int edgeseg_blend(const plane *all, int planes);
int edgeseg_sample(const plane *frame, uint8_t *tensor, int width, int height, const int16_t *matrix);
int edgeseg_soften(const plane *all, int planes, const float *taps, const int *radii);
int edgeseg_supported(void);

static uint32_t state = 1;

static int dice(int sides) {
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (uint32_t)sides);
}

/* Rows end where the memory ends, so that one byte too many is seen. ``solid`` planes are mostly 0 (1) or 255 (2). */
static plane made(ptrdiff_t width, ptrdiff_t height, int gap, int solid) {
    size_t bytes = (size_t)((width + gap) * (height - 1) + width);
    uint8_t *pixels = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) pixels[i] = solid && dice(40) ? (uint8_t)(solid == 1 ? 0 : 255) : (uint8_t)dice(256);
    return (plane){pixels, width + gap, width, height};
}

static plane one_row_again_and_again(ptrdiff_t width, ptrdiff_t height) {
    plane row = made(width, 1, 0, 0);
    return (plane){row.pixels, 0, width, height};
}

/* Whether each pixel of ``out`` lies between those that it was mixed from. */
static int is_between(const plane *keep, const plane *other, const plane *out) {
    for (ptrdiff_t y = 0; y < out->height; y++) {
        for (ptrdiff_t x = 0; x < out->width; x++) {
            uint8_t a = keep->pixels[y * keep->stride + x], b = other->pixels[y * other->stride + x];
            uint8_t c = out->pixels[y * out->stride + x];
            if (c < (a < b ? a : b) || c > (a < b ? b : a)) {
                printf("%d is not between %d and %d\n", c, a, b);
                return 0;
            }
        }
    }
    return 1;
}

static int blend(int round) {
    int planes = 1 + dice(4), good = 1;
    plane all[1 + 3 * 4], *keep = all + 1, *other = keep + planes, *out = other + planes;
    int width = 1 + dice(round % 7 ? 70 : 400), height = 1 + dice(40), in_place[4], same[4];
    all[0] = made(1 + dice(40), 1 + dice(40), 0, dice(3));
    for (int p = 0; p < planes; p++) {
        int w = p == 0 || dice(4) == 0 ? width : (width + 1) / 2, h = p == 0 ? height : (height + 1) / 2, gap = dice(3) * 5;
        same[p] = dice(2);
        in_place[p] = same[p] && dice(4) == 0;
        keep[p] = made(w, h, gap, 0);
        if (!same[p]) other[p] = made(1 + dice(w), 1 + dice(h), dice(3), 0);
        else other[p] = dice(3) || in_place[p] ? made(w, h, gap, 0) : one_row_again_and_again(w, h);
        out[p] = in_place[p] ? other[p] : made(w, h, gap, 0);
    }
    if (edgeseg_blend(all, planes)) return 0;
    for (int p = 0; p < planes; p++) {
        if (same[p] && !in_place[p]) good = good && is_between(&keep[p], &other[p], &out[p]);
        free(keep[p].pixels);
        free(other[p].pixels);
        if (!in_place[p]) free(out[p].pixels);
    }
    free(all[0].pixels);
    return good;
}

static int sample(int round) {
    /* Identity: what is bright in the frame is as bright in the tensor. */
    const int16_t matrix[12] = {8192, 0, 0, 8, 8192, 0, 0, 8, 8192, 0, 0, 8};
    int width = 1 + dice(round % 7 ? 90 : 500), height = 1 + dice(90), w = 1 + dice(40), h = 1 + dice(40), good = 1;
    int grey = dice(256);
    plane frame[3] = {made(width, height, dice(9), 0), made((width + 1) / 2, (height + 1) / 2, dice(9), 0),
                      made((width + 1) / 2, (height + 1) / 2, dice(9), 0)};
    for (ptrdiff_t y = 0; y < height && round % 2; y++) memset(frame[0].pixels + y * frame[0].stride, grey, (size_t)width);
    size_t bytes = (size_t)w * (size_t)h * 3;
    uint8_t *tensor = malloc(bytes);
    int failed = edgeseg_sample(frame, tensor, w, h, matrix);
    for (size_t i = 0; i < bytes && failed == 0 && round % 2; i++) good = good && tensor[i] == grey;
    if (!good) printf("grey of %d in %dx%d is another in %dx%d\n", grey, width, height, w, h);
    for (int p = 0; p < 3; p++) free(frame[p].pixels);
    free(tensor);
    return good && failed != -1;
}

static int soften(int round) {
    int planes = 1 + dice(4), radius = dice(12), radii[4], good = 1, most = 0, grey = dice(256);
    int width = 1 + dice(round % 7 ? 70 : 400), height = 1 + dice(60), halvings = dice(6);
    plane all[1 + 2 * 4], *from = all + 1, *soft = from + planes;
    float taps[4 * 12], *tap = taps;
    all[0] = made(1 + dice(40), 1 + dice(40), dice(3), dice(3));
    while (halvings && (width >> halvings == 0 || height >> halvings == 0)) halvings--;
    for (int p = 0; p < planes; p++) {
        int less = p && halvings ? dice(2) : 0, w = less ? width / 2 : width, h = less ? height / 2 : height;
        from[p] = made(w, h, dice(9), 0);
        for (ptrdiff_t y = 0; y < h && round % 2; y++) memset(from[p].pixels + y * from[p].stride, grey, (size_t)w);
        soft[p] = made(w >> (halvings - less), h >> (halvings - less), dice(5), 0);
        radii[p] = radius;
        for (int k = 0; k <= radius; k++) *tap++ = 1.0f / (float)(2 * radius + 1);
        most = halvings - less > most ? halvings - less : most;
    }
    int failed = edgeseg_soften(all, planes, taps, radii);
    good = failed == (most > 4 ? -2 : 0);
    for (int p = 0; p < planes; p++) {
        for (ptrdiff_t y = 0; y < soft[p].height && !failed && round % 2; y++) {
            for (ptrdiff_t x = 0; x < soft[p].width; x++) good = good && soft[p].pixels[y * soft[p].stride + x] == grey;
        }
        free(from[p].pixels);
        free(soft[p].pixels);
    }
    free(all[0].pixels);
    if (!good) printf("grey of %d in %dx%d is another after %d halvings, or failed: %d\n", grey, width, height, halvings, failed);
    return good;
}

int main(void) {
    if (!edgeseg_supported()) return 0;
    for (int round = 0; round < ROUNDS; round++) {
        if (!blend(round) || !sample(round) || !soften(round)) return 1;
    }
    printf("%d rounds\n", ROUNDS);
    return 0;
}
