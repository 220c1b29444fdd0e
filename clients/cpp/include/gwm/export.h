// The mark of what the shared client library exports.
#ifndef GWM_EXPORT_H_
#define GWM_EXPORT_H_

#define GWM_CLIENT_EXPORT __attribute__((visibility("default")))

#endif  // GWM_EXPORT_H_
