// proper-lockfile only needs to be told of the exit, to remove the locks it holds. The package it
// would use also listens to 17 signals and patches process.emit and process.reallyExit, in every run.
module.exports = (callback) => process.on('exit', callback)
