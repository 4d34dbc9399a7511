// Command wedsync is the scalability control plane of the wedding platform: one binary
// that is the API, the worker, the modelled fleet, the development stack and the tools
// around them. It is the only place where ports meet adapters.
package main
