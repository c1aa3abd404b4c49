"""`corpus explore DIR`: a build folder in the browser, read only."""
