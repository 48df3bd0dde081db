"""The first picture, in circle.png."""

import must

with must.Platform("data") as platform:
    task = platform.submit("tiny-image", "a red circle", seed=7)
    task.wait()
    task.save("circle.png")
