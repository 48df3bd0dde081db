"""Makes three pictures at once with asyncio.

python asynchronous.py DATA_DIR OUTPUT_FOLDER
"""

import asyncio
import sys

import must


async def picture(platform: must.AsyncPlatform, prompt: str, folder: str) -> None:
    """Make one picture and save it."""
    task = await platform.submit("tiny-image", prompt, seed=7)
    await task
    print(await task.save(folder))


async def main(data_dir: str, folder: str) -> None:
    """Open a platform and use it from three tasks of one loop."""
    async with must.AsyncPlatform(data_dir) as platform:
        prompts = ("a red circle", "a green square", "a blue triangle")
        await asyncio.gather(*(picture(platform, prompt, folder) for prompt in prompts))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], sys.argv[2]))
