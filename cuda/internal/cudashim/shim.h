#ifndef CUDASHIM_H
#define CUDASHIM_H
// cudashim_open loads the driver at path, or where systems keep it when path is
// empty. 0 is success, 1 no library, 2 a cuInit that failed, whose code is in
// *code. msg gets the reason.
int cudashim_open(const char *path, int *code, char *msg, int msglen);
int cudashim_missing_count(void);
const char *cudashim_missing_name(int i);
#endif
