/* Planes, from what NumPy tells about its arrays: asking for the same in Python takes three times as long. */

#include "rows.h"

#include <limits.h>

/* What ``__array_struct__`` points to, in NumPy's "array interface protocol", version 3; an object that we do not need
 * comes behind it. */
typedef struct {
    int two, dimensions;
    char kind;
    int item_bytes, flags;
    const ptrdiff_t *shape, *strides;
    uint8_t *data;
} array;

#define WRITEABLE 0x400

static int is_plane(const array *from) {
    if (from->two != 2 || from->dimensions != 2 || from->item_bytes != 1) return 0;
    ptrdiff_t height = from->shape[0], width = from->shape[1];
    if (height < 1 || width < 1 || height > INT_MAX || width > INT_MAX) return 0;
    return width == 1 || from->strides[1] == 1;
}

/* Fills ``planes`` from ``count`` arrays: u8 [height, width], with rows of neighbouring bytes, and the last ``written`` of
 * them writeable. Returns 0, or the number of the first that is not such, counted from 1. */
int edgeseg_planes(const array *const *arrays, int count, int written, plane *planes) {
    for (int i = 0; i < count; i++) {
        const array *from = arrays[i];
        if (!is_plane(from) || (i >= count - written && !(from->flags & WRITEABLE))) return i + 1;
        planes[i] = (plane){from->data, from->strides[0], from->shape[1], from->shape[0]};
    }
    return 0;
}
