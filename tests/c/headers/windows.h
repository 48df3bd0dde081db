/* Macros of <windows.h> and of the headers that it includes (wingdi.h, winnt.h, minwindef.h, rpcndr.h, winuser.h), without NOMINMAX. */
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define ERROR 0
#define DELETE (0x00010000L)
#define IN
#define OUT
#define OPTIONAL
#define CONST const
#define VOID void
#define TRUE 1
#define FALSE 0
#define NO_ERROR 0L
#define STRICT 1
#define ABSOLUTE 1
#define RELATIVE 2
#define OPAQUE 2
#define TRANSPARENT 1
#define far
#define near
#define FAR
#define NEAR
#define pascal __stdcall
#define cdecl
#define small char
#define hyper long long
#define interface struct
#define Yield()
#define CopyFile CopyFileW
#define CreateEvent CreateEventW
#define CreateFile CreateFileW
#define DeleteFile DeleteFileW
#define DispatchMessage DispatchMessageW
#define GetCurrentTime() GetTickCount()
#define GetFreeSpace(w) (0x100000L)
#define GetJob GetJobW
#define GetMessage GetMessageW
#define GetObject GetObjectW
#define GetUserName GetUserNameW
#define LoadImage LoadImageW
#define MessageBox MessageBoxW
#define OpenEvent OpenEventW
#define PostMessage PostMessageW
#define ReportEvent ReportEventW
#define SendMessage SendMessageW
