/* Qt's keywords, as <QtCore/qobjectdefs.h> and <QtCore/qglobal.h> define them without QT_NO_KEYWORDS. */
#define signals public
#define slots
#define emit
#define foreach(variable, container) for (variable : container)
#define forever for (;;)
#define Q_SIGNALS public
#define Q_SLOTS
#define Q_EMIT
