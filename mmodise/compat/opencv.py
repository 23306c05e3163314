"""Turns OpenCV's complaint about a missing system library into advice."""


def check() -> None:
    """Import OpenCV.

    mmcv asks for ``opencv-python``, which needs system libraries (libGL and its kin) that a
    server without a screen lacks. The headless build is the same module without them.

    Raises:
        ImportError: If a shared library is missing, with the command that helps; any other
            import error is passed on as it is.
    """
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        if 'cannot open shared object file' not in str(error):
            raise
        raise ImportError(
            f'OpenCV does not load: {error}. The installed build needs libraries for a screen. '
            'Put the build that needs none in its place: '
            'pip install --force-reinstall --no-deps opencv-python-headless==4.12.0.88') from error
