#pragma once
#include <curl/curl.h>

/* `curl_easy_setopt` and `curl_easy_getinfo` are variadic, so invisible to Swift: one function for each kind of argument. */
static inline CURLcode hub_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode hub_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}

static inline CURLcode hub_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(handle, option, value);
}

typedef size_t (*hub_curl_receiver)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode hub_curl_set_receiver(CURL *handle, CURLoption function, hub_curl_receiver receiver,
                                             CURLoption data, void *context) {
    CURLcode code = curl_easy_setopt(handle, function, receiver);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, data, context);
}

static inline CURLcode hub_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}

/* A macro. */
static inline CURLcode hub_curl_start(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }
