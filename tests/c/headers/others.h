/* Macros of other headers that hosts include: <complex.h>, <sys/sysmacros.h>, <sys/param.h>, glog, Objective-C, Arduino, and macros
   that compilers define when extensions are on. */
#define I _Complex_I
#define complex _Complex
#define major(device) gnu_dev_major(device)
#define minor(device) gnu_dev_minor(device)
#define MIN(a, b) (((a) < (b)) ? (a) : (b))
#define MAX(a, b) (((a) > (b)) ? (a) : (b))
#define CHECK(condition) static_cast<void>(condition)
#define LOG(severity) severity
#define VERIFY(condition) static_cast<void>(condition)
#define TRACE(text) static_cast<void>(0)
#define INFO 0
#define WARNING 1
#define FATAL 3
#define DEBUG 1
#define OK 0
#define ERR (-1)
#define YES 1
#define NO 0
#define Nil nullptr
#define nil nullptr
#define linux 1
#define unix 1
#define bit(b) (1UL << (b))
#define sq(x) ((x) * (x))
#define B0 0
#define B1 1
