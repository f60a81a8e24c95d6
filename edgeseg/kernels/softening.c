/* Makes the planes of a picture small and blurs them, with only what a mask hides counting: the background for `blur`.
 *
 * edgeseg/effects/_soften_opencv.py does the same with OpenCV, to within 1.
 *
 * Planes become means of boxes of 2, 4, 8 … pixels. Each small pixel has a weight, how much of it is hidden; what comes
 * out is blur(picture * weight) / blur(weight), in floats, with a Gaussian across and then down.
 */

#include "boxes.h"

/* Pixels that are computed at once. */
#define BLOCK 16

/* The Gaussian: the weight of the middle and of the two neighbours at 1, 2, … radius pixels. */
typedef struct {
    const float *taps;
    ptrdiff_t radius;
} gaussian;

/* How much of each small pixel is hidden, the same blurred, and for planes of which size that is. */
typedef struct {
    ptrdiff_t width, height;
    float *here, *around;
} weights;

typedef struct {
    float *row;    /* room for a row and ``radius`` pixels on both sides */
    float *across; /* [height, width] rows that are blurred across */
    float *sum;
    uint16_t *sums, *halved;
    int16_t *mixed, *kept; /* a row of the mask between two of it, and the same at small pixels */
    uint32_t *pairs;
    const float **before, **behind; /* [radius + 1] what a pixel or a row is blurred with */
} scratch;

/* Pixels beyond an end are those before it, without the last one: OpenCV's BORDER_REFLECT_101. */
static ptrdiff_t reflected(ptrdiff_t at, ptrdiff_t count) {
    if (count == 1) return 0;
    while (at < 0 || at >= count) at = at < 0 ? -at : 2 * (count - 1) - at;
    return at;
}

/* A row blurred: its middle and the rows at 1, 2, … radius before and behind it, each times its tap. Pixels are summed in
 * blocks, which stay in registers; beyond ``width`` so many are read and written as the last block has. */
static void add_up(const float *middle, const float *const *before, const float *const *behind, gaussian by,
                   ptrdiff_t width, float *out) {
    for (ptrdiff_t x = 0; x < width; x += BLOCK) {
        float sum[BLOCK];
        for (int i = 0; i < BLOCK; i++) sum[i] = middle[x + i] * by.taps[0];
        for (ptrdiff_t k = 1; k <= by.radius; k++) {
            const float *one = before[k] + x, *two = behind[k] + x, tap = by.taps[k];
            for (int i = 0; i < BLOCK; i++) sum[i] += (one[i] + two[i]) * tap;
        }
        memcpy(out + x, sum, sizeof sum);
    }
}

/* Blurs a row across; there is room for the ``radius`` pixels on both sides of it, which are filled. */
static void blur_across(float *row, ptrdiff_t width, gaussian by, const scratch *use, float *out) {
    for (ptrdiff_t k = 1; k <= by.radius; k++) {
        row[-k] = row[reflected(-k, width)];
        row[width - 1 + k] = row[reflected(width - 1 + k, width)];
        use->before[k] = row - k;
        use->behind[k] = row + k;
    }
    add_up(row, use->before, use->behind, by, width, out);
}

/* The row ``y`` of ``use->across`` blurred down. */
static void blur_down(ptrdiff_t width, ptrdiff_t height, ptrdiff_t y, gaussian by, const scratch *use, float *out) {
    const float *rows = use->across;
    for (ptrdiff_t k = 1; k <= by.radius; k++) {
        use->before[k] = rows + reflected(y - k, height) * width;
        use->behind[k] = rows + reflected(y + k, height) * width;
    }
    add_up(rows + y * width, use->before, use->behind, by, width, out);
}

/* What the mask hides of the pixels of a small row ``y``: 0.5 to 255.5. Never quite nothing, so that a picture that is all
 * person still has a background to show at its edges. */
static void hidden_row(const plane *mask, const axis *across, const axis *down, ptrdiff_t y, ptrdiff_t width,
                       const scratch *use) {
    const uint8_t *above = mask->pixels + down->low[y] * mask->stride;
    const uint8_t *below = down->low[y] < mask->height - 1 ? above + mask->stride : above;
    int16_t *restrict mixed = use->mixed, *restrict kept = use->kept, weight = down->weight[y];
    for (ptrdiff_t x = 0; x < mask->width; x++) {
        int16_t here = (int16_t)(above[x] << FRACTION_BITS);
        mixed[x] = (int16_t)(here + part_of((int16_t)((below[x] - above[x]) * 2 * ONE), weight));
    }
    mixed[mask->width] = mixed[mask->width - 1];
    take_between(mixed, across, width, use->pairs, kept);
    float *restrict row = use->row;
    for (ptrdiff_t x = 0; x < width; x++) row[x] = 255.5f - (float)kept[x] / ONE;
}

static void weigh(weights *on, const plane *mask, char *room, gaussian by, const scratch *use) {
    axis across = take_axis(&room, on->width, mask->width), down = take_axis(&room, on->height, mask->height);
    for (ptrdiff_t y = 0; y < on->height; y++) {
        hidden_row(mask, &across, &down, y, on->width, use);
        memcpy(on->here + y * on->width, use->row, (size_t)on->width * sizeof *use->row);
        blur_across(use->row, on->width, by, use, use->across + y * on->width);
    }
    for (ptrdiff_t y = 0; y < on->height; y++) blur_down(on->width, on->height, y, by, use, on->around + y * on->width);
}

static void weighted(const uint16_t *restrict sums, float by, const float *restrict weight, ptrdiff_t count,
                     float *restrict row) {
    for (ptrdiff_t x = 0; x < count; x++) row[x] = (float)sums[x] * by * weight[x];
}

static void mean(const float *restrict sum, const float *restrict weight, ptrdiff_t count, uint8_t *restrict row) {
    for (ptrdiff_t x = 0; x < count; x++) row[x] = (uint8_t)(int32_t)(sum[x] / weight[x] + 0.5f);
}

/* The sides of the boxes that make ``many`` pixels ``few``. */
static ptrdiff_t box_of(ptrdiff_t many, ptrdiff_t few) {
    ptrdiff_t side = 1;
    while (many / (2 * side) >= few) side *= 2;
    return side;
}

static void soften(const plane *from, const plane *soft, const weights *on, gaussian by, const scratch *use) {
    ptrdiff_t box_width = box_of(from->width, soft->width), box_height = box_of(from->height, soft->height);
    ptrdiff_t width = soft->width, height = soft->height;
    float share = 1.0f / (float)(box_width * box_height);
    for (ptrdiff_t y = 0; y < height; y++) {
        const uint16_t *sums = sum_boxes(from, y, box_width, box_height, width, use->sums, use->halved);
        weighted(sums, share, on->here + y * width, width, use->row);
        blur_across(use->row, width, by, use, use->across + y * width);
    }
    for (ptrdiff_t y = 0; y < height; y++) {
        blur_down(width, height, y, by, use, use->sum);
        mean(use->sum, on->around + y * width, width, soft->pixels + y * soft->stride);
    }
}

static ptrdiff_t larger(ptrdiff_t a, ptrdiff_t b) {
    return a > b ? a : b;
}

/* Fills each of 1 to 4 planes ``soft`` from the plane of the picture that it stands for.
 *
 * ``all`` is the mask, 255 where a pixel does not count, then ``planes`` times the picture's planes, as many times soft.
 * Each side of a soft plane is that of its plane, halved and rounded down 0, 1, 2 … times. ``taps`` are those of the first
 * plane's Gaussian, then the next one's; ``radii`` how many each has, without that of the middle.
 * Returns 0, or -1 when there is no memory for the scratch rows, or -2 where a box would hold more than 256 pixels. */
int edgeseg_soften(const plane *all, int planes, const float *taps, const int *radii) {
    const plane *mask = all, *from = all + 1, *soft = from + planes;
    ptrdiff_t widest = 0, width = 0, height = 0, radius = 0;
    for (int p = 0; p < planes; p++) {
        if (box_of(from[p].width, soft[p].width) * box_of(from[p].height, soft[p].height) > MOST_PIXELS) return -2;
        widest = larger(widest, from[p].width);
        width = larger(width, soft[p].width);
        height = larger(height, soft[p].height);
        radius = larger(radius, radii[p]);
    }
    size_t pads = (size_t)radius * sizeof(float), row = ((size_t)width + SPARE) * sizeof(float);
    size_t whole = (size_t)(width * height) * sizeof(float) + row, steps = ((size_t)radius + 1) * sizeof(float *);
    size_t axes = (axis_bytes(width, mask->width) + axis_bytes(height, mask->height)) / 64 * 64 + 64;
    char *block = calloc(1, axes + room_for(7, 3 * whole + 2 * row + 2 * pads + 2 * steps) + 2 * row_bytes(widest) +
                                row_bytes(mask->width) + row_bytes(width) + pairs_bytes(width));
    if (!block) return -1;
    char *room = block + axes;
    weights on = {.here = take(&room, whole), .around = take(&room, whole)};
    scratch use = {
        .across = take(&room, whole),
        .row = (float *)take(&room, row + 2 * pads) + radius,
        .sum = take(&room, row),
        .sums = (uint16_t *)take_row(&room, widest),
        .halved = (uint16_t *)take_row(&room, widest),
        .mixed = take_row(&room, mask->width),
        .kept = take_row(&room, width),
        .pairs = take_pairs(&room, width),
        .before = take(&room, steps),
        .behind = take(&room, steps),
    };
    for (int p = 0; p < planes; p++) {
        gaussian by = {taps, radii[p]};
        if (on.width != soft[p].width || on.height != soft[p].height) { /* the planes of colour are alike */
            on.width = soft[p].width, on.height = soft[p].height;
            weigh(&on, mask, block, by, &use);
        }
        soften(&from[p], &soft[p], &on, by, &use);
        taps += radii[p] + 1;
    }
    free(block);
    return 0;
}
