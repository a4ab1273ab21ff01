// proper-lockfile only needs to be told of the exit, to remove the locks it holds, and execa to end a
// filter with us. The package they would use also listens to 17 signals and patches process.emit and
// process.reallyExit.
const onExit = (callback) => {
  process.on('exit', callback)
  return () => process.off('exit', callback)
}

module.exports = onExit
module.exports.onExit = onExit
