#pragma once
typedef struct { int count; int value; } mbstate_t;
