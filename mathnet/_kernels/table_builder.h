/* Makes a table of kernels when a plugin's extension module is imported; C code may as well write one as static data.

   The entries of one real type stand in one mn_table_builder, static memory of the module.  Too many entries or fields are
   counted, not written: mn_built then gives NULL. */
#ifndef MN_TABLE_BUILDER_H
#define MN_TABLE_BUILDER_H

#include "abi.h"

#define MN_BUILDER_ENTRIES 64
#define MN_BUILDER_FIELDS 512

typedef struct {
    mn_table table;
    int64_t n_fields;
    int64_t refused;
    const char *descriptor; /* the instance against which the open entry's offsets are taken */
    mn_entry entries[MN_BUILDER_ENTRIES];
    mn_field fields[MN_BUILDER_FIELDS];
} mn_table_builder;

/* Opens an entry.  descriptor: any instance of the kernel's struct. */
static inline void mn_add_kernel(
    mn_table_builder *builder, const char *name, mn_kernel fn, mn_sizes_fn sizes, const void *descriptor,
    int64_t descriptor_size)
{
    if (builder->table.n_entries == MN_BUILDER_ENTRIES) {
        builder->refused += 1;
        return;
    }
    mn_entry *entry = &builder->entries[builder->table.n_entries++];
    entry->name = name;
    entry->fn = fn;
    entry->sizes = sizes;
    entry->fields = &builder->fields[builder->n_fields];
    entry->n_fields = 0;
    entry->descriptor_size = descriptor_size;
    entry->tail_item = 0;
    builder->descriptor = (const char *)descriptor;
}

/* A field of the open entry: count values of 8 bytes. */
static inline void mn_add_field(
    mn_table_builder *builder, const char *name, const void *field, int64_t count, char kind)
{
    if (builder->n_fields == MN_BUILDER_FIELDS || builder->table.n_entries == 0) {
        builder->refused += 1;
        return;
    }
    mn_field *made = &builder->fields[builder->n_fields++];
    made->name = name;
    made->offset = (const char *)field - builder->descriptor;
    made->count = count;
    made->kind = kind;
    builder->entries[builder->table.n_entries - 1].n_fields += 1;
}

static inline void mn_add_integers(mn_table_builder *builder, const char *name, const int64_t *field, int64_t count)
{
    mn_add_field(builder, name, field, count, 'q');
}

static inline void mn_add_doubles(mn_table_builder *builder, const char *name, const double *field, int64_t count)
{
    mn_add_field(builder, name, field, count, 'd');
}

/* The finished table.  real: "float32" or "float64"; isa: "baseline" runs everywhere. */
static inline mn_table *mn_built(mn_table_builder *builder, const char *real, const char *isa)
{
    builder->table.abi_version = MN_ABI_VERSION;
    builder->table.isa = isa;
    builder->table.real = real;
    builder->table.entries = builder->entries;
    return builder->refused ? 0 : &builder->table;
}

#endif
