// Switches of libraries that hold for the whole process.
#ifndef GWM_SERVER_BIN_PROCESS_H_
#define GWM_SERVER_BIN_PROCESS_H_

namespace gwm::server {

// Before any other thread starts.
void SetUpProcess();

}  // namespace gwm::server

#endif  // GWM_SERVER_BIN_PROCESS_H_
