/* Makes a frame small and turns it into a model's three colours, in one pass over its rows.
 *
 * edgeseg/sampling.py does the same with OpenCV, plane by plane.
 *
 * Planes become means of boxes of 2, 4, 8 … pixels while they are at least twice as large as what is wanted, and what is
 * left to do is bilinear: down while rows are long, which a compiler turns into vectors, then across, pixel by pixel.
 * Colour stays at half the model's size until it meets the brightness.
 */

#include "boxes.h"

/* Beyond this ratio bilinear sampling steps over whole pixels and sees patterns that are not there. */
#define FAR 3

/* Makes one plane small, row by row. */
typedef struct {
    const plane *from;
    ptrdiff_t box_height, box_width, rows, cells; /* boxes: their size, and how many there are */
    int shift;                                    /* from the sum of a box to its mean in units of 1/64 */
    axis across, down;
    uint16_t *sums, *halved;
    int16_t *boxes[2], *mixed;
    uint32_t *pairs;
    ptrdiff_t held[2]; /* which rows of boxes they are; -1 none */
} reducer;

static void to_means(const uint16_t *restrict sums, ptrdiff_t count, int shift, int16_t *restrict means) {
    if (shift >= 0) {
        for (ptrdiff_t x = 0; x < count; x++) means[x] = (int16_t)(sums[x] << shift);
    } else {
        for (ptrdiff_t x = 0; x < count; x++) means[x] = (int16_t)(sums[x] >> -shift);
    }
}

/* The row ``number`` of boxes; the row ``neighbour`` is still needed. */
static const int16_t *boxes_of(reducer *of, ptrdiff_t number, ptrdiff_t neighbour) {
    for (int slot = 0; slot < 2; slot++) {
        if (of->held[slot] == number) return of->boxes[slot];
    }
    int slot = of->held[0] == neighbour ? 1 : 0;
    const uint16_t *sums = sum_boxes(of->from, number, of->box_width, of->box_height, of->cells, of->sums, of->halved);
    int16_t *means = of->boxes[slot];
    to_means(sums, of->cells, of->shift, means);
    means[of->cells] = means[of->cells - 1]; /* the neighbour of the last one */
    of->held[slot] = number;
    return means;
}

/* The row ``y`` of the small plane, in units of 1/64. */
static void reduce(reducer *of, ptrdiff_t y, ptrdiff_t width, int16_t *restrict small) {
    ptrdiff_t one = of->down.low[y], two = one < of->rows - 1 ? one + 1 : one;
    const int16_t *above = boxes_of(of, one, two), *below = boxes_of(of, two, one);
    int16_t *restrict mixed = of->mixed;
    for (ptrdiff_t x = 0; x <= of->cells; x++) {
        int16_t part = part_of((int16_t)(2 * (below[x] - above[x])), of->down.weight[y]);
        mixed[x] = (int16_t)(above[x] + part);
    }
    take_between(mixed, &of->across, width, of->pairs, small);
}

/* Each cell of half a row stands for two pixels; where their number is odd, for those whose middle lies in it. */
static void spread(const int16_t *restrict half, const axis *near, ptrdiff_t width, int16_t *restrict row) {
    if (width % 2) {
        for (ptrdiff_t x = 0; x < width; x++) row[x] = half[near->low[x]];
    } else {
        for (ptrdiff_t x = 0; x < width / 2; x++) row[2 * x] = row[2 * x + 1] = half[x];
    }
}

static inline int16_t upper_half(int16_t a, int16_t b) {
    return (int16_t)((int32_t)a * b >> 16);
}

/* One colour of a row. ``weights`` are those of y, u and v in units of 1/8192 and what is added, in units of 1/16. */
static void to_colour(const int16_t *restrict y, const int16_t *restrict u, const int16_t *restrict v, ptrdiff_t width,
                      const int16_t *weights, uint8_t *restrict colour) {
    int16_t of_y = weights[0], of_u = weights[1], of_v = weights[2], offset = weights[3];
    for (ptrdiff_t x = 0; x < width; x++) {
        int16_t bright = upper_half((int16_t)(2 * y[x]), of_y);
        int16_t blue = upper_half((int16_t)(2 * u[x] - 256 * ONE), of_u);
        int16_t red = upper_half((int16_t)(2 * v[x] - 256 * ONE), of_v);
        int16_t level = (int16_t)((int16_t)(bright + blue + red + offset) >> 4);
        level = level < 0 ? 0 : level;
        colour[x] = (uint8_t)(level > 255 ? 255 : level);
    }
}

static void interleave(const uint8_t *restrict first, const uint8_t *restrict second, const uint8_t *restrict third,
                       ptrdiff_t width, uint8_t *restrict row) {
    for (ptrdiff_t x = 0; x < width; x++) {
        row[3 * x] = first[x];
        row[3 * x + 1] = second[x];
        row[3 * x + 2] = third[x];
    }
}

static size_t reducer_bytes(const plane *from, ptrdiff_t width, ptrdiff_t height) {
    return axis_bytes(width, from->width) + axis_bytes(height, from->height) + 5 * row_bytes(from->width) + pairs_bytes(width);
}

static reducer make_reducer(char **room, const plane *from, ptrdiff_t width, ptrdiff_t height) {
    reducer of = {.from = from, .box_height = 1, .box_width = 1, .shift = FRACTION_BITS, .held = {-1, -1}};
    ptrdiff_t rows = from->height, cells = from->width;
    while (rows >= 2 * height && cells >= 2 * width) {
        rows /= 2, of.box_height *= 2, cells /= 2, of.box_width *= 2, of.shift -= 2;
    }
    while (rows > FAR * height) rows /= 2, of.box_height *= 2, of.shift--;
    while (cells > FAR * width) cells /= 2, of.box_width *= 2, of.shift--;
    of.rows = rows, of.cells = cells;
    of.across = take_axis(room, width, cells);
    of.down = take_axis(room, height, rows);
    of.sums = (uint16_t *)take_row(room, from->width);
    of.halved = (uint16_t *)take_row(room, from->width);
    for (int slot = 0; slot < 2; slot++) of.boxes[slot] = take_row(room, from->width);
    of.mixed = take_row(room, from->width);
    of.pairs = take_pairs(room, width);
    return of;
}

/* Which cell of ``cells`` the middle of each pixel lies in. */
static axis take_nearest(char **room, ptrdiff_t pixels, ptrdiff_t cells) {
    axis on = take_axis(room, pixels, cells);
    for (ptrdiff_t x = 0; x < pixels; x++) on.low[x] = (int32_t)((2 * x + 1) * cells / (2 * pixels));
    return on;
}

/* Fills ``tensor``, ``width`` x ``height`` pixels of three bytes each, from the planes y, u and v of a frame (4:2:0).
 *
 * ``matrix`` has three rows of four: weights of y, u - 128 and v - 128 in units of 1/8192, and what is added to them, in
 * units of 1/16.
 * Returns 0, or -1 when there is no memory for the scratch rows, or -2 where a box would hold more than 256 pixels: their
 * sum would be too large. */
int edgeseg_sample(const plane *frame, uint8_t *tensor, int width, int height, const int16_t *matrix) {
    ptrdiff_t half_width = (width + 1) / 2, half_height = (height + 1) / 2;
    size_t bytes = reducer_bytes(&frame[0], width, height) + reducer_bytes(&frame[1], half_width, half_height) +
                   reducer_bytes(&frame[2], half_width, half_height) + axis_bytes(width, half_width) +
                   axis_bytes(height, half_height) + 8 * row_bytes(width);
    char *block = calloc(1, bytes);
    if (!block) return -1;
    char *room = block;
    reducer y = make_reducer(&room, &frame[0], width, height);
    reducer u = make_reducer(&room, &frame[1], half_width, half_height);
    reducer v = make_reducer(&room, &frame[2], half_width, half_height);
    axis across = take_nearest(&room, width, half_width), down = take_nearest(&room, height, half_height);
    int16_t *half = take_row(&room, width), *bright = take_row(&room, width);
    int16_t *blue = take_row(&room, width), *red = take_row(&room, width);
    uint8_t *colours[3];
    for (int c = 0; c < 3; c++) colours[c] = take(&room, (size_t)width + SPARE);
    int fits = y.shift >= FRACTION_BITS - 8 && u.shift >= FRACTION_BITS - 8 && v.shift >= FRACTION_BITS - 8;
    for (ptrdiff_t row = 0; fits && row < height; row++) {
        reduce(&y, row, width, bright);
        if (row == 0 || down.low[row] != down.low[row - 1]) {
            reduce(&u, down.low[row], half_width, half);
            spread(half, &across, width, blue);
            reduce(&v, down.low[row], half_width, half);
            spread(half, &across, width, red);
        }
        for (int c = 0; c < 3; c++) to_colour(bright, blue, red, width, matrix + 4 * c, colours[c]);
        interleave(colours[0], colours[1], colours[2], width, tensor + 3 * row * width);
    }
    free(block);
    return fits ? 0 : -2;
}
