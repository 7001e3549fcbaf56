#pragma once
#include <stdint.h>
int clinux_placeholder(void);
