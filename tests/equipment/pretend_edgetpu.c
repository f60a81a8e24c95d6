/* A TensorFlow Lite delegate that stands for libedgetpu in tests: it takes over the operator "edgetpu-custom-op" and
 * answers with the mean of the channels. What happens to it goes into the file that its option "log" names.
 *
 * The structures are those of TensorFlow Lite's common.h, which delegates are compiled against, as far as they are
 * needed here: the first fields of some. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Delegate;
typedef struct { int size; int data[]; } IntArray;
typedef struct { int type; void *data; IntArray *dims; void *others[11]; } Tensor;
typedef struct { IntArray *inputs, *outputs; } NodeHead;

typedef struct Registration {
    void *(*init)(void *context, const char *buffer, size_t length);
    void (*free)(void *context, void *buffer);
    int (*prepare)(void *context, NodeHead *node);
    int (*invoke)(void *context, NodeHead *node);
    const char *(*profiling_string)(const void *context, const NodeHead *node);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *later[8]; /* what newer versions added; they read it off the stack */
} Registration;

typedef struct Context {
    size_t tensors_size;
    int (*GetExecutionPlan)(struct Context *, IntArray **);
    Tensor *tensors;
    void *impl;
    int (*ResizeTensor)(struct Context *, void *, IntArray *);
    void (*ReportError)(struct Context *, const char *, ...);
    int (*AddTensors)(struct Context *, int, int *);
    int (*GetNodeAndRegistration)(struct Context *, int, NodeHead **, Registration **);
    int (*ReplaceNodeSubsetsWithDelegateKernels)(struct Context *, Registration, const IntArray *, struct Delegate *);
} Context;

typedef struct Delegate {
    void *data;
    int (*Prepare)(Context *, struct Delegate *);
    void *copy_and_free[3];
    int64_t flags;
    void *later[8];
} Delegate;

enum { OK = 0, ERROR = 1, ALLOW_DYNAMIC_TENSORS = 1 };

static char log_path[4096];
static bool fail_prepare, fail_invoke;

static void note(const char *text)
{
    FILE *log = log_path[0] ? fopen(log_path, "a") : NULL;
    if (log) {
        fprintf(log, "%s\n", text);
        fclose(log);
    }
}

static int kernel_prepare(void *context, NodeHead *node)
{
    (void)context;
    (void)node;
    return OK;
}

static int kernel_invoke(void *opaque, NodeHead *node)
{
    Context *context = opaque;
    note("invoke");
    if (fail_invoke) {
        context->ReportError(context, "the stick was pulled out");
        return ERROR;
    }
    const Tensor *in = &context->tensors[node->inputs->data[0]];
    const Tensor *out = &context->tensors[node->outputs->data[0]];
    const float *from = in->data;
    float *to = out->data;
    const int height = in->dims->data[1], width = in->dims->data[2], channels = in->dims->data[3];
    for (int pixel = 0; pixel < height * width; pixel++, to++) {
        *to = 0;
        for (int channel = 0; channel < channels; channel++)
            *to += *from++ / channels;
    }
    return OK;
}

static int prepare(Context *context, Delegate *delegate)
{
    IntArray *plan;
    NodeHead *node;
    Registration *found, kernel = { .prepare = kernel_prepare, .invoke = kernel_invoke, .custom_name = "pretend", .version = 1 };
    note("prepare");
    if (fail_prepare) {
        context->ReportError(context, "the executable is for another runtime version");
        return ERROR;
    }
    context->GetExecutionPlan(context, &plan);
    IntArray *mine = calloc(1, sizeof *mine + plan->size * sizeof(int));
    for (int index = 0; index < plan->size; index++) {
        context->GetNodeAndRegistration(context, plan->data[index], &node, &found);
        if (found->custom_name && !strcmp(found->custom_name, "edgetpu-custom-op"))
            mine->data[mine->size++] = plan->data[index];
    }
    int status = context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, mine, delegate);
    free(mine);
    return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report_error)(const char *))
{
    char line[8192] = "create";
    log_path[0] = 0;
    fail_prepare = fail_invoke = false;
    for (size_t index = 0; index < count; index++) {
        const char *key = keys[index], *value = values[index];
        if (!strcmp(key, "log"))
            snprintf(log_path, sizeof log_path, "%s", value);
        else
            snprintf(line + strlen(line), sizeof line - strlen(line), " %s=%s", key, value);
        if (!strcmp(key, "pipe")) { /* as long as a stick takes its firmware */
            FILE *pipe = fopen(value, "r");
            fgetc(pipe);
            fclose(pipe);
        }
        fail_prepare |= !strcmp(key, "fail") && !strcmp(value, "prepare");
        fail_invoke |= !strcmp(key, "fail") && !strcmp(value, "invoke");
        if (!strcmp(key, "refuse")) {
            if (value[0])
                report_error(value);
            return NULL;
        }
    }
    note(line);
    Delegate *delegate = calloc(1, sizeof *delegate);
    delegate->Prepare = prepare;
    delegate->flags = ALLOW_DYNAMIC_TENSORS;
    return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate)
{
    note("destroy");
    free(delegate);
}
