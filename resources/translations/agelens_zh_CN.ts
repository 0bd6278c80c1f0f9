<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN">
<context>
    <name></name>
    <message numerus="yes">
        <source>%n arrival(s), {number} in view</source>
        <translation>
            <numerusform>到达 %n 次，在画面中 {number} 次</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n corrected face(s)</source>
        <translation>
            <numerusform>%n 张已更正的人脸</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n face(s)</source>
        <translation>
            <numerusform>%n 张人脸</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n file(s)</source>
        <translation>
            <numerusform>%n 个文件</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n file(s) could not be read.</source>
        <translation>
            <numerusform>有 %n 个文件无法读取。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n picture(s)</source>
        <translation>
            <numerusform>%n 张图片</numerusform>
        </translation>
    </message>
    <message>
        <source>&amp;Beside it</source>
        <translation>对比(&amp;B)</translation>
    </message>
    <message>
        <source>&amp;Capture</source>
        <translation>拍摄(&amp;C)</translation>
    </message>
    <message>
        <source>&amp;Explain</source>
        <translation>解释(&amp;E)</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>文件(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>帮助(&amp;H)</translation>
    </message>
    <message>
        <source>&amp;Hold picture</source>
        <translation>保持图像(&amp;H)</translation>
    </message>
    <message>
        <source>&amp;Layer</source>
        <translation>层(&amp;L)</translation>
    </message>
    <message>
        <source>&amp;Playback</source>
        <translation>播放(&amp;P)</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>视图(&amp;V)</translation>
    </message>
    <message>
        <source>, </source>
        <translation>，</translation>
    </message>
    <message>
        <source>95th percentile</source>
        <translation>第 95 百分位</translation>
    </message>
    <message>
        <source>A PNG with its predictions</source>
        <translation>包含预测结果的 PNG</translation>
    </message>
    <message>
        <source>A camera takes the nearest format it has; the status line shows which.</source>
        <translation>摄像头会采用最接近的可用格式；状态栏显示实际格式。</translation>
    </message>
    <message>
        <source>A camera, a video file, a folder of pictures, or a stream. You can also drop a file here.</source>
        <translation>摄像头、视频文件、图片文件夹或网络流。也可以将文件拖放到这里。</translation>
    </message>
    <message>
        <source>A face is counted in each picture that shows it. Somebody in five pictures counts five times: nobody is recognised.</source>
        <translation>每张图片中的每张人脸都计一次。出现在五张图片中的人计五次：程序不辨认任何人。</translation>
    </message>
    <message>
        <source>A fifth of the pictures is held out, and the new model is judged on it. It takes minutes, and with fewer than some hundred faces a model learns little.</source>
        <translation>其中五分之一的图片会留出，用来评判新模型。这需要几分钟；少于几百张人脸时，模型学到的很少。</translation>
    </message>
    <message>
        <source>A folder of pictures</source>
        <translation>图片文件夹</translation>
    </message>
    <message>
        <source>A full bar is {budget} ms, the time between two frames</source>
        <translation>满格为 {budget} ms，即两帧之间的时间</translation>
    </message>
    <message>
        <source>A name may hold only a-z, 0-9, “.” and “-”, the first a letter or digit.</source>
        <translation>名称只能包含 a-z、0-9、“.”和“-”，且以字母或数字开头。</translation>
    </message>
    <message>
        <source>A visit crosses a line when the middle of its face goes from clearly one side to clearly the other. Arrows show the direction in the picture, not in its mirror image.</source>
        <translation>当人脸的中心从线的一侧明确移到另一侧时，计为一次越线。箭头表示在原始画面（而非镜像）中的方向。</translation>
    </message>
    <message>
        <source>A visit is one face, followed from its first sighting to its last. Somebody who leaves and comes back, or is lost from view for more than a moment, is a new visit: nobody is recognised.</source>
        <translation>一次访问是指一张人脸从首次出现到最后一次出现。离开后又回来，或从画面中消失超过片刻的人，计为新的访问：程序不辨认任何人。</translation>
    </message>
    <message>
        <source>About Agelens</source>
        <translation>关于 Agelens</translation>
    </message>
    <message>
        <source>Accept the notice first; then {name} opens.</source>
        <translation>请先接受此声明，然后将打开“{name}”。</translation>
    </message>
    <message>
        <source>Address</source>
        <translation>地址</translation>
    </message>
    <message>
        <source>Address of the camera or stream</source>
        <translation>摄像头或网络流的地址</translation>
    </message>
    <message>
        <source>Age distribution</source>
        <translation>年龄分布</translation>
    </message>
    <message>
        <source>Age distribution of the other model</source>
        <translation>另一个模型的年龄分布</translation>
    </message>
    <message>
        <source>Age group</source>
        <translation>年龄段</translation>
    </message>
    <message>
        <source>Age group and gender are guesses about how a face looks to a network. They are often wrong, and more often for some people than for others. Do not decide about anyone by them. Pictures never leave this computer.</source>
        <translation>年龄段和性别只是网络对面部外观的猜测。它们经常出错，并且对某些人群出错更多。请勿据此对任何人作出决定。图像绝不会离开这台电脑。</translation>
    </message>
    <message>
        <source>Age group and gender are guesses about how a face looks. They are often wrong, and more often for some people than for others: never decide about anyone by them.</source>
        <translation>年龄段和性别只是对面部外观的猜测。它们经常出错，并且对某些人群出错更多：切勿据此对任何人作出决定。</translation>
    </message>
    <message>
        <source>Age group exact</source>
        <translation>年龄段完全正确</translation>
    </message>
    <message>
        <source>Age group right</source>
        <translation>年龄段正确</translation>
    </message>
    <message>
        <source>Age group within one</source>
        <translation>年龄段误差不超过一段</translation>
    </message>
    <message>
        <source>Age group, calibration error</source>
        <translation>年龄段（校准误差）</translation>
    </message>
    <message>
        <source>Age groups</source>
        <translation>年龄段</translation>
    </message>
    <message>
        <source>Age groups: {names}</source>
        <translation>年龄段：{names}</translation>
    </message>
    <message>
        <source>Age, mean error in years</source>
        <translation>年龄（平均误差，岁）</translation>
    </message>
    <message>
        <source>Age?</source>
        <translation>年龄？</translation>
    </message>
    <message>
        <source>Agelens finds faces in a camera’s picture, a video or a photo, and shows the age group and perceived gender that a neural network reads from each one.</source>
        <translation>Agelens 在摄像头画面、视频或照片中找出人脸，并显示神经网络从每张人脸判断的年龄段和感知性别。</translation>
    </message>
    <message>
        <source>All ages</source>
        <translation>全部年龄段</translation>
    </message>
    <message>
        <source>All faces</source>
        <translation>所有人脸</translation>
    </message>
    <message>
        <source>All files</source>
        <translation>所有文件</translation>
    </message>
    <message>
        <source>All filters share one scale, as in the demo of Levi and Hassner (2015): weak ones look grey.</source>
        <translation>所有滤波器使用同一尺度，与 Levi 和 Hassner（2015）的演示一致：较弱的滤波器呈灰色。</translation>
    </message>
    <message>
        <source>All maps share one scale, as in the demo of Levi and Hassner (2015): weak answers look dark.</source>
        <translation>所有特征图使用同一尺度，与 Levi 和 Hassner (2015) 的演示一致：响应弱的显得暗。</translation>
    </message>
    <message>
        <source>All pictures</source>
        <translation>所有图片</translation>
    </message>
    <message>
        <source>Also write a JSON file</source>
        <translation>同时写入 JSON 文件</translation>
    </message>
    <message>
        <source>An http or rtsp address</source>
        <translation>http 或 rtsp 地址</translation>
    </message>
    <message>
        <source>Answer for this crop alone</source>
        <translation>仅针对此裁剪图的答案</translation>
    </message>
    <message>
        <source>Arrivals</source>
        <translation>到达</translation>
    </message>
    <message>
        <source>Arrivals a minute</source>
        <translation>每分钟到达</translation>
    </message>
    <message>
        <source>Arrivals and visits in view over time; the same numbers are in the table</source>
        <translation>到达次数和画面中的访问数随时间的变化；表中有相同的数字</translation>
    </message>
    <message>
        <source>Ask another model about the same face</source>
        <translation>就同一张人脸询问另一个模型</translation>
    </message>
    <message>
        <source>Audience</source>
        <translation>观众</translation>
    </message>
    <message>
        <source>Audience report</source>
        <translation>观众报告</translation>
    </message>
    <message>
        <source>Audience report: {source}</source>
        <translation>观众报告：{source}</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>自动</translation>
    </message>
    <message>
        <source>Average ten views of each face</source>
        <translation>对每张人脸取十个视图的平均</translation>
    </message>
    <message>
        <source>Blur</source>
        <translation>模糊</translation>
    </message>
    <message>
        <source>Boxes</source>
        <translation>边框</translation>
    </message>
    <message>
        <source>Burst</source>
        <translation>连拍</translation>
    </message>
    <message>
        <source>Camera</source>
        <translation>摄像头</translation>
    </message>
    <message>
        <source>Camera controls: {name}</source>
        <translation>摄像头控制：{name}</translation>
    </message>
    <message>
        <source>Camera controls…</source>
        <translation>摄像头控制…</translation>
    </message>
    <message>
        <source>Camera {number}</source>
        <translation>摄像头 {number}</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Cancelled. There is no new model.</source>
        <translation>已取消。没有生成新模型。</translation>
    </message>
    <message>
        <source>Cannot ask “{model}”: it does not load.</source>
        <translation>无法询问“{model}”：模型无法加载。</translation>
    </message>
    <message>
        <source>Cannot classify faces: the network of the model “{model}” failed on {provider} ({reason}). Choose another model or provider.</source>
        <translation>无法识别人脸：模型“{model}”的网络在 {provider} 上运行失败（{reason}）。请选择其他模型或运行设备。</translation>
    </message>
    <message>
        <source>Cannot classify faces: {reason} ({kind}). Choose another model, and report it.</source>
        <translation>无法识别人脸：{reason}（{kind}）。请选择其他模型并报告此问题。</translation>
    </message>
    <message>
        <source>Cannot continue with “{name}”: it sends no more pictures. Check that it is still connected.</source>
        <translation>无法继续读取“{name}”：不再传来图像。请检查是否仍已连接。</translation>
    </message>
    <message>
        <source>Cannot continue with “{name}”: it sent no picture for {seconds} seconds. Check that it is still connected.</source>
        <translation>无法继续读取“{name}”：已有 {seconds} 秒没有传来图像。请检查是否仍已连接。</translation>
    </message>
    <message>
        <source>Cannot continue with “{name}”: it was changed. Open it again.</source>
        <translation>无法继续读取“{name}”：文件已更改。请重新打开。</translation>
    </message>
    <message>
        <source>Cannot continue with “{name}”: the connection broke off ({reason}). Check the network.</source>
        <translation>无法继续读取“{name}”：连接中断（{reason}）。请检查网络。</translation>
    </message>
    <message>
        <source>Cannot continue with “{name}”: {reason}. Open it again.</source>
        <translation>无法继续读取“{name}”：{reason}。请重新打开。</translation>
    </message>
    <message>
        <source>Cannot continue: Agelens has a defect ({kind}: {reason}). Try again, and report it.</source>
        <translation>无法继续：Agelens 出现错误（{kind}：{reason}）。请重试，并报告此问题。</translation>
    </message>
    <message>
        <source>Cannot continue: the system lacks the library “{library}”. Install the package that holds it, on Debian or Ubuntu by `sudo apt install {packages}`.</source>
        <translation>无法继续：系统缺少库“{library}”。请安装包含它的软件包，在 Debian 或 Ubuntu 上运行 `sudo apt install {packages}`。</translation>
    </message>
    <message>
        <source>Cannot continue: the system lacks the library “{library}”. Install the package that holds it.</source>
        <translation>无法继续：系统缺少库“{library}”。请安装包含它的软件包。</translation>
    </message>
    <message>
        <source>Cannot continue: the system reports “{reason}”. Check the disk, and try again.</source>
        <translation>无法继续：系统报告“{reason}”。请检查磁盘后重试。</translation>
    </message>
    <message>
        <source>Cannot find a model at “{path}”: a model is an .onnx file with a .toml file beside it. Check the path.</source>
        <translation>“{path}”处没有模型：模型由 .onnx 文件及其旁边的 .toml 清单组成。请检查路径。</translation>
    </message>
    <message>
        <source>Cannot find the camera “{wanted}”: no camera is connected. Connect one, or open the source `demo`.</source>
        <translation>未找到摄像头“{wanted}”：没有连接摄像头。请连接摄像头，或打开演示（`demo`）。</translation>
    </message>
    <message>
        <source>Cannot find the camera “{wanted}”: several have such a name, {names}. Give the whole name or the index.</source>
        <translation>无法确定摄像头“{wanted}”：有多个符合，{names}。请给出完整名称或编号。</translation>
    </message>
    <message>
        <source>Cannot find the camera “{wanted}”: those here are {names}. Choose one of them.</source>
        <translation>未找到摄像头“{wanted}”：现有摄像头为 {names}。请从中选择。</translation>
    </message>
    <message>
        <source>Cannot find the model “{name}”: the models here are {known}. Choose one of them.</source>
        <translation>未找到模型“{name}”：现有模型为 {known}。请从中选择。</translation>
    </message>
    <message>
        <source>Cannot fine-tune: PyTorch is not installed. Start Agelens with: uv run --extra train main.py</source>
        <translation>无法微调：未安装 PyTorch。请这样启动 Agelens：uv run --extra train main.py</translation>
    </message>
    <message>
        <source>Cannot fine-tune: the training tools come with the source code, not with the installed program. Get the source code, and start Agelens there with: uv run --extra train main.py</source>
        <translation>无法微调：训练工具随源代码提供，不随已安装的程序提供。请获取源代码，并在其中这样启动 Agelens：uv run --extra train main.py</translation>
    </message>
    <message>
        <source>Cannot finish the predictions in “{path}”: {reason}.</source>
        <translation>无法完成“{path}”中的预测记录：{reason}。</translation>
    </message>
    <message>
        <source>Cannot finish the recording “{path}” in time: the disk is slow. It is finished in the background, and plays up to where it is.</source>
        <translation>无法及时完成录制“{path}”：磁盘速度过慢。录制将在后台完成，已写入的部分可以播放。</translation>
    </message>
    <message>
        <source>Cannot load the network “{file}”: {reason}. Install the model again.</source>
        <translation>无法加载网络“{file}”：{reason}。请重新安装模型。</translation>
    </message>
    <message>
        <source>Cannot load the provider {failed}: {chosen} is used instead.</source>
        <translation>无法加载运行设备 {failed}：改用 {chosen}。</translation>
    </message>
    <message>
        <source>Cannot look for faces: the face detector’s model “{path}” is missing. Install Agelens again.</source>
        <translation>无法查找人脸：缺少人脸检测器的模型“{path}”。请重新安装 Agelens。</translation>
    </message>
    <message>
        <source>Cannot look into the model “{model}”: {reason}. Choose another model.</source>
        <translation>无法查看模型“{model}”的内部：{reason}。请选择其他模型。</translation>
    </message>
    <message>
        <source>Cannot name a model “{name}”: one of that name comes with Agelens and would be used instead. Choose another name.</source>
        <translation>无法将模型命名为“{name}”：Agelens 自带同名模型，会被优先使用。请选择其他名称。</translation>
    </message>
    <message>
        <source>Cannot name a model “{name}”: the name may hold only a-z, 0-9, &apos;.&apos; and &apos;-&apos;, the first a letter or digit. Choose another name.</source>
        <translation>无法将模型命名为“{name}”：名称只能包含 a-z、0-9、“.”和“-”，且首字符须为字母或数字。请选择其他名称。</translation>
    </message>
    <message>
        <source>Cannot open a source: none was given. Give a camera&apos;s index or name, a file, an address, or `demo`.</source>
        <translation>无法打开来源：未指定来源。请给出摄像头的编号或名称、文件、地址或 `demo`。</translation>
    </message>
    <message>
        <source>Cannot open camera {index} ({name}): it does not answer. Close other programs that use it, or choose another capture backend.</source>
        <translation>无法打开摄像头 {index}（{name}）：没有响应。请关闭正在使用它的其他程序，或选择其他采集后端。</translation>
    </message>
    <message>
        <source>Cannot open camera {index} ({name}): this user may not use {path}. Join the group `video`, and log in again.</source>
        <translation>无法打开摄像头 {index}（{name}）：当前用户无权使用 {path}。请加入 `video` 组并重新登录。</translation>
    </message>
    <message>
        <source>Cannot open the folder “{folder}”: it contains no pictures. Choose one with JPEG, PNG or similar files.</source>
        <translation>无法打开文件夹“{folder}”：其中没有图片。请选择包含 JPEG、PNG 等文件的文件夹。</translation>
    </message>
    <message numerus="yes">
        <source>Cannot open the folder “{folder}”: none of its %n picture(s) can be read. {reason}</source>
        <translation>
            <numerusform>无法打开文件夹“{folder}”：其中的 %n 张图片都无法读取。{reason}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Cannot open these %n file(s): none can be read. {reason}</source>
        <translation>
            <numerusform>无法打开这 %n 个文件：都无法读取。{reason}</numerusform>
        </translation>
    </message>
    <message>
        <source>Cannot open this address: it lacks a slash. Write it as {scheme}://host/path.</source>
        <translation>无法打开此地址：缺少一条斜线。请写成 {scheme}://host/path。</translation>
    </message>
    <message>
        <source>Cannot open this address: {scheme}:// is not supported. Use http, https or rtsp.</source>
        <translation>无法打开此地址：不支持 {scheme}://。请使用 http、https 或 rtsp。</translation>
    </message>
    <message>
        <source>Cannot open “{address}”: it names no computer. Write it as {scheme}://host/path.</source>
        <translation>无法打开“{address}”：未指明主机。请写成 {scheme}://host/path。</translation>
    </message>
    <message>
        <source>Cannot open “{folder}”: no file manager answers.</source>
        <translation>无法打开“{folder}”：没有可用的文件管理器。</translation>
    </message>
    <message>
        <source>Cannot open “{folder}”: nothing was saved there yet.</source>
        <translation>无法打开“{folder}”：那里还没有保存过任何内容。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it asks for a user name and password. Write them as scheme://user:password@host/path.</source>
        <translation>无法打开“{name}”：需要用户名和密码。请写成 scheme://user:password@host/path。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it contains no video. Choose a file with moving pictures.</source>
        <translation>无法打开“{name}”：其中没有视频。请选择包含动态画面的文件。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it did not start within {seconds} seconds. {hint}.</source>
        <translation>无法打开“{name}”：未能在 {seconds} 秒内启动。{hint}。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it does not accept this user name and password. Check them, and write @, : or / in them as %40, %3A or %2F.</source>
        <translation>无法打开“{name}”：不接受此用户名和密码。请检查，并将其中的 @、: 或 / 写成 %40、%3A 或 %2F。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it has more than {limit} million pixels. Save it in a smaller size.</source>
        <translation>无法打开“{name}”：超过 {limit} 百万像素。请另存为较小的尺寸。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it is damaged or is not a picture. Choose another file.</source>
        <translation>无法打开“{name}”：文件已损坏或不是图片。请选择其他文件。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it is damaged or is not a video. Choose another file.</source>
        <translation>无法打开“{name}”：文件已损坏或不是视频。请选择其他文件。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it is larger than {limit} MB. Choose a smaller picture.</source>
        <translation>无法打开“{name}”：文件大于 {limit} MB。请选择较小的图片。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it leads nowhere that can be read. Check the address.</source>
        <translation>无法打开“{name}”：该地址没有指向可读取的内容。请检查地址。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it sends no picture that can be read. Give the address of a video stream or a picture.</source>
        <translation>无法打开“{name}”：传来的图像无法读取。请给出视频流或图片的地址。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it sends no video that can be decoded. Give the address of a video stream.</source>
        <translation>无法打开“{name}”：传来的视频无法解码。请给出视频流的地址。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it sends no video. Give the address of a video stream.</source>
        <translation>无法打开“{name}”：没有传来视频。请给出视频流的地址。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: it states {millions} million pixels but contains too little data for them. Choose another file.</source>
        <translation>无法打开“{name}”：文件声明有 {millions} 百万像素，但其中的数据远远不够。请选择其他文件。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: no answer came within {seconds} seconds. Check the address and the network.</source>
        <translation>无法打开“{name}”：{seconds} 秒内没有响应。请检查地址和网络。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: none of its pictures can be decoded, because it is damaged or empty. Choose another file.</source>
        <translation>无法打开“{name}”：文件已损坏或为空，没有可解码的画面。请选择其他文件。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: that was cancelled.</source>
        <translation>未打开“{name}”：已取消。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: the server answers {answer}. Check the address.</source>
        <translation>无法打开“{name}”：服务器返回 {answer}。请检查地址。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: {reason}. Check the address.</source>
        <translation>无法打开“{name}”：{reason}。请检查地址。</translation>
    </message>
    <message>
        <source>Cannot open “{name}”: {reason}. Check the file and its disk.</source>
        <translation>无法打开“{name}”：{reason}。请检查该文件及其所在磁盘。</translation>
    </message>
    <message>
        <source>Cannot open “{path}”: it is a pipe, not a file. Save what comes from it in a file first.</source>
        <translation>无法打开“{path}”：它是管道而不是文件。请先将其内容保存为文件。</translation>
    </message>
    <message>
        <source>Cannot open “{path}”: it is no valid path on this system. Check its spelling.</source>
        <translation>无法打开“{path}”：这不是此系统上的有效路径。请检查拼写。</translation>
    </message>
    <message>
        <source>Cannot open “{path}”: it is not one picture. Use `stream` for films and folders.</source>
        <translation>无法打开“{path}”：它不是单张图片。影片和文件夹请使用 `stream`。</translation>
    </message>
    <message>
        <source>Cannot open “{path}”: there is no such file or folder. Check its spelling.</source>
        <translation>无法打开“{path}”：没有此文件或文件夹。请检查拼写。</translation>
    </message>
    <message>
        <source>Cannot open “{path}”: this user may not read it. Check its permissions.</source>
        <translation>无法打开“{path}”：当前用户无权读取。请检查其权限。</translation>
    </message>
    <message>
        <source>Cannot play “{path}” in a list: it never ends. Open it alone.</source>
        <translation>无法在列表中播放“{path}”：它没有结尾。请单独打开。</translation>
    </message>
    <message>
        <source>Cannot read it: each process of the cluster that tried it ended. Check the file and the memory.</source>
        <translation>无法读取：集群中尝试读取它的每个进程都意外结束了。请检查该文件和内存。</translation>
    </message>
    <message>
        <source>Cannot read it: the process that tried it ended {tries} times ({ending}). Check the file and the free memory.</source>
        <translation>无法读取：尝试读取它的进程已意外结束 {tries} 次（{ending}）。请检查该文件和可用内存。</translation>
    </message>
    <message>
        <source>Cannot read the folder “{folder}”: {reason}. Check its permissions and its disk.</source>
        <translation>无法读取文件夹“{folder}”：{reason}。请检查其权限和所在磁盘。</translation>
    </message>
    <message>
        <source>Cannot read the mean image “{path}”: {reason}. Install the model again.</source>
        <translation>无法读取均值图像“{path}”：{reason}。请重新安装模型。</translation>
    </message>
    <message>
        <source>Cannot read the model file “{path}”: {reason}. Check its permissions.</source>
        <translation>无法读取模型文件“{path}”：{reason}。请检查其权限。</translation>
    </message>
    <message>
        <source>Cannot read the model manifest “{path}”: {reason}. Correct it, or export the model again.</source>
        <translation>无法读取模型清单“{path}”：{reason}。请更正，或重新导出模型。</translation>
    </message>
    <message>
        <source>Cannot read the settings in “{path}”: {reason}. Agelens starts with the defaults.</source>
        <translation>无法读取“{path}”中的设置：{reason}。Agelens 以默认设置启动。</translation>
    </message>
    <message>
        <source>Cannot read “{name}” from {start} s on: it lasts {duration} s. Begin earlier.</source>
        <translation>无法从第 {start} 秒开始读取“{name}”：它只有 {duration} 秒。请从更早的时刻开始。</translation>
    </message>
    <message>
        <source>Cannot read “{name}”: its pictures have more than {limit} million pixels. Set it to send smaller ones.</source>
        <translation>无法读取“{name}”：其图像超过 {limit} 百万像素。请将其设置为发送较小的图像。</translation>
    </message>
    <message>
        <source>Cannot read “{name}”: {reason}. Open it again.</source>
        <translation>无法读取“{name}”：{reason}。请重新打开。</translation>
    </message>
    <message>
        <source>Cannot read “{path}”: it contains no predictions. Choose a screenshot made by Agelens.</source>
        <translation>无法读取“{path}”：其中没有预测结果。请选择由 Agelens 制作的截图。</translation>
    </message>
    <message>
        <source>Cannot read “{path}”: {reason}. Choose another file.</source>
        <translation>无法读取“{path}”：{reason}。请选择其他文件。</translation>
    </message>
    <message>
        <source>Cannot record pictures of {width}×{height} pixels: the encoder does not support that. Choose another resolution.</source>
        <translation>无法录制 {width}×{height} 像素的图像：编码器不支持。请选择其他分辨率。</translation>
    </message>
    <message>
        <source>Cannot record to “{name}”: that recording is closed. Start a new one.</source>
        <translation>无法录制到“{name}”：该录制已关闭。请开始新的录制。</translation>
    </message>
    <message>
        <source>Cannot record to “{name}”: the name must end in .mp4 or .mkv. Choose another name.</source>
        <translation>无法录制到“{name}”：名称须以 .mp4 或 .mkv 结尾。请选择其他名称。</translation>
    </message>
    <message>
        <source>Cannot record to “{path}”: {reason}.</source>
        <translation>无法录制到“{path}”：{reason}。</translation>
    </message>
    <message>
        <source>Cannot save a screenshot as “{name}”: the name must end in .png. Choose another name.</source>
        <translation>无法将截图保存为“{name}”：名称须以 .png 结尾。请选择其他名称。</translation>
    </message>
    <message>
        <source>Cannot save a summary: no picture was shown yet. Start the source first.</source>
        <translation>无法保存摘要：尚未显示任何图像。请先启动来源。</translation>
    </message>
    <message>
        <source>Cannot save in “{folder}”: {reason}.</source>
        <translation>无法保存到“{folder}”：{reason}。</translation>
    </message>
    <message>
        <source>Cannot save the settings in “{path}”: writing there is not possible. Check the folder and its disk.</source>
        <translation>无法将设置保存到“{path}”：该位置不可写。请检查文件夹及其所在磁盘。</translation>
    </message>
    <message>
        <source>Cannot save the summary as “{name}”: the name must end in .html, .json, .csv, .jsonl or .parquet. Choose another name.</source>
        <translation>无法将摘要保存为“{name}”：名称须以 .html、.json、.csv、.jsonl 或 .parquet 结尾。请选择其他名称。</translation>
    </message>
    <message>
        <source>Cannot save “{name}”: {reason}. Choose another folder.</source>
        <translation>无法保存“{name}”：{reason}。请选择其他文件夹。</translation>
    </message>
    <message>
        <source>Cannot save “{path}”: a file of that name exists already. Choose another name.</source>
        <translation>无法保存“{path}”：已有同名文件。请选择其他名称。</translation>
    </message>
    <message>
        <source>Cannot save “{path}”: {reason}.</source>
        <translation>无法保存“{path}”：{reason}。</translation>
    </message>
    <message>
        <source>Cannot set up the camera “{name}”: {reason}. Plug it in again.</source>
        <translation>无法设置摄像头“{name}”：{reason}。请重新插入。</translation>
    </message>
    <message>
        <source>Cannot show the network: Agelens has a defect. Close the network view and open it again.</source>
        <translation>无法显示网络：Agelens 出现错误。请关闭网络视图后重新打开。</translation>
    </message>
    <message>
        <source>Cannot show “{name}”: its pictures are in a format that is not supported. Convert the file first.</source>
        <translation>无法显示“{name}”：不支持其画面格式。请先转换该文件。</translation>
    </message>
    <message>
        <source>Cannot start the source: {reason}. Close other programs, and start again.</source>
        <translation>无法启动来源：{reason}。请关闭其他程序后重试。</translation>
    </message>
    <message>
        <source>Cannot stop the last source in order: {reason}. Start Agelens again, and report it.</source>
        <translation>无法正常停止上一个来源：{reason}。请重新启动 Agelens 并报告此问题。</translation>
    </message>
    <message>
        <source>Cannot use any model: ONNX Runtime is not installed. Install `agelens[cpu]` or `agelens[cuda]`, or start with `uv run main.py`.</source>
        <translation>无法使用任何模型：未安装 ONNX Runtime。请安装 `agelens[cpu]` 或 `agelens[cuda]`，或用 `uv run main.py` 启动。</translation>
    </message>
    <message>
        <source>Cannot use the model at “{path}”: “{first}” has the name “{name}”, too. Give one of them another name.</source>
        <translation>无法使用“{path}”处的模型：“{first}”的名称也是“{name}”。请为其中一个改名。</translation>
    </message>
    <message>
        <source>Cannot use the model file “{path}”: it is damaged or was changed, its checksum differs. Install it again.</source>
        <translation>无法使用模型文件“{path}”：文件已损坏或被更改，校验和不符。请重新安装。</translation>
    </message>
    <message>
        <source>Cannot use the model file “{path}”: it is larger than {limit} MB. Export it again.</source>
        <translation>无法使用模型文件“{path}”：文件大于 {limit} MB。请重新导出。</translation>
    </message>
    <message>
        <source>Cannot use the model file “{path}”: it is missing. Copy it there, or install the model again.</source>
        <translation>无法使用模型文件“{path}”：文件缺失。请复制到该处，或重新安装模型。</translation>
    </message>
    <message>
        <source>Cannot use the model file “{path}”: its manifest gives no checksum for it. Export the model again.</source>
        <translation>无法使用模型文件“{path}”：清单中没有它的校验和。请重新导出模型。</translation>
    </message>
    <message>
        <source>Cannot use the model manifest “{path}”: {problem}. Correct it, or export the model again.</source>
        <translation>无法使用模型清单“{path}”：{problem}。请更正，或重新导出模型。</translation>
    </message>
    <message>
        <source>Cannot use the model “{model}” ({path}): {reason}. Choose another model.</source>
        <translation>无法使用模型“{model}”（{path}）：{reason}。请选择其他模型。</translation>
    </message>
    <message>
        <source>Cannot use the network “{file}”: {reason}.</source>
        <translation>无法使用网络“{file}”：{reason}。</translation>
    </message>
    <message>
        <source>Cannot use the provider “{name}”: it is installed but does not load, because a driver or a library is missing. Choose the provider `auto` or `cpu`.</source>
        <translation>无法使用运行设备“{name}”：它已安装但无法加载，因为缺少驱动或库。请选择“自动”或 CPU。</translation>
    </message>
    <message>
        <source>Cannot use the provider “{name}”: there is no such provider. Choose one of auto, {names}.</source>
        <translation>无法使用运行设备“{name}”：没有此设备。请选择 auto、{names} 之一。</translation>
    </message>
    <message>
        <source>Cannot use the provider “{name}”: this ONNX Runtime has only {names}. {how}, or choose the provider `auto`.</source>
        <translation>无法使用运行设备“{name}”：此 ONNX Runtime 只有 {names}。{how}，或选择“自动”。</translation>
    </message>
    <message>
        <source>Cannot use the saved privacy mode: it is unknown. The whole picture is hidden; choose a mode.</source>
        <translation>无法使用保存的隐私模式：该模式未知。已隐藏整个画面；请选择一种模式。</translation>
    </message>
    <message>
        <source>Cannot write predictions to standard output: {reason}.</source>
        <translation>无法将预测结果写入标准输出：{reason}。</translation>
    </message>
    <message>
        <source>Cannot write predictions to “{name}”: that file is closed. Start a new one.</source>
        <translation>无法将预测结果写入“{name}”：该文件已关闭。请新建一个。</translation>
    </message>
    <message>
        <source>Cannot write predictions to “{path}”: {reason}.</source>
        <translation>无法将预测结果写入“{path}”：{reason}。</translation>
    </message>
    <message>
        <source>Cannot write “{name}”: that needs the package pyarrow. Install it with `pip install &apos;agelens[parquet]&apos;`, or choose a name that ends in .csv or .jsonl.</source>
        <translation>无法写入“{name}”：需要 pyarrow 软件包。请用 `pip install &apos;agelens[parquet]&apos;` 安装，或选择以 .csv 或 .jsonl 结尾的名称。</translation>
    </message>
    <message>
        <source>Cannot write “{name}”: the name must end in .csv, .jsonl or .parquet. Choose another name.</source>
        <translation>无法写入“{name}”：名称须以 .csv、.jsonl 或 .parquet 结尾。请选择其他名称。</translation>
    </message>
    <message>
        <source>Cannot write “{path}”: {reason}.</source>
        <translation>无法写入“{path}”：{reason}。</translation>
    </message>
    <message>
        <source>Capture backend</source>
        <translation>采集后端</translation>
    </message>
    <message>
        <source>Change…</source>
        <translation>更改…</translation>
    </message>
    <message>
        <source>Check that it is connected and that no other program uses it</source>
        <translation>请检查是否已连接，以及是否被其他程序占用</translation>
    </message>
    <message>
        <source>Check the address and the network</source>
        <translation>请检查地址和网络</translation>
    </message>
    <message>
        <source>Choose a folder</source>
        <translation>选择文件夹</translation>
    </message>
    <message>
        <source>Choose a source</source>
        <translation>选择来源</translation>
    </message>
    <message>
        <source>Choose camera…</source>
        <translation>选择摄像头…</translation>
    </message>
    <message>
        <source>Choose what to look at</source>
        <translation>选择要查看的内容</translation>
    </message>
    <message>
        <source>Classify</source>
        <translation>分类</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Compare with corrections…</source>
        <translation>与更正比较…</translation>
    </message>
    <message>
        <source>Compare…</source>
        <translation>比较…</translation>
    </message>
    <message>
        <source>Compute perceived gender</source>
        <translation>计算感知性别</translation>
    </message>
    <message>
        <source>Computing…</source>
        <translation>正在计算…</translation>
    </message>
    <message>
        <source>Confidences</source>
        <translation>置信度</translation>
    </message>
    <message>
        <source>Connecting…</source>
        <translation>正在连接…</translation>
    </message>
    <message>
        <source>Copied</source>
        <translation>已复制</translation>
    </message>
    <message>
        <source>Copied the figure</source>
        <translation>已复制图形</translation>
    </message>
    <message>
        <source>Copied the picture</source>
        <translation>已复制图像</translation>
    </message>
    <message>
        <source>Copied the statistics</source>
        <translation>已复制统计信息</translation>
    </message>
    <message>
        <source>Copy all figures to the clipboard, for a bug report</source>
        <translation>将所有数据复制到剪贴板，用于报告问题</translation>
    </message>
    <message>
        <source>Copy as table</source>
        <translation>复制为表格</translation>
    </message>
    <message>
        <source>Copy as text</source>
        <translation>复制为文本</translation>
    </message>
    <message>
        <source>Copy figure</source>
        <translation>复制图形</translation>
    </message>
    <message>
        <source>Copy picture</source>
        <translation>复制图像</translation>
    </message>
    <message>
        <source>Copy statistics</source>
        <translation>复制统计信息</translation>
    </message>
    <message>
        <source>Correct these faces</source>
        <translation>更正这些人脸</translation>
    </message>
    <message>
        <source>Corrected</source>
        <translation>已更正</translation>
    </message>
    <message>
        <source>Count anew</source>
        <translation>重新计数</translation>
    </message>
    <message>
        <source>Count no crossings</source>
        <translation>不再统计越线</translation>
    </message>
    <message>
        <source>Count who crosses it, by direction</source>
        <translation>按方向统计越过它的人</translation>
    </message>
    <message>
        <source>Counted without age or gender: {number}, because the model never answered for them.</source>
        <translation>计入但没有年龄和性别：{number}，因为模型始终没有给出结果。</translation>
    </message>
    <message>
        <source>Counting anew</source>
        <translation>已重新开始计数</translation>
    </message>
    <message>
        <source>Counts</source>
        <translation>计数</translation>
    </message>
    <message>
        <source>Counts by age group and perceived gender; the same numbers are in the tables</source>
        <translation>按年龄段和感知性别的计数；表中有相同的数字</translation>
    </message>
    <message>
        <source>Counts by age group; the same numbers are in the tables</source>
        <translation>按年龄段的计数；表中有相同的数字</translation>
    </message>
    <message>
        <source>Crop</source>
        <translation>裁剪</translation>
    </message>
    <message>
        <source>Crossed backward</source>
        <translation>反向越线</translation>
    </message>
    <message>
        <source>Crossed forward</source>
        <translation>正向越线</translation>
    </message>
    <message>
        <source>Cutting faces out: {done} of {total}</source>
        <translation>正在裁剪人脸：{done}/{total}</translation>
    </message>
    <message>
        <source>Damaged, shown only in part: {names}</source>
        <translation>已损坏、仅显示部分内容：{names}</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Data: {text}</source>
        <translation>数据：{text}</translation>
    </message>
    <message>
        <source>Demo</source>
        <translation>演示</translation>
    </message>
    <message>
        <source>Detect</source>
        <translation>检测</translation>
    </message>
    <message>
        <source>Detection</source>
        <translation>检测</translation>
    </message>
    <message>
        <source>Drag over the picture, from one end of the line to the other. Esc ends it.</source>
        <translation>在画面上从线的一端拖到另一端。按 Esc 取消。</translation>
    </message>
    <message>
        <source>Draw</source>
        <translation>绘制</translation>
    </message>
    <message>
        <source>Draw a line</source>
        <translation>画线</translation>
    </message>
    <message>
        <source>Draw a line in the picture to count who crosses it, by direction.</source>
        <translation>在画面中画一条线，即可按方向统计越过它的人。</translation>
    </message>
    <message>
        <source>Everybody can be recognised.</source>
        <translation>可以认出画面中的每个人。</translation>
    </message>
    <message>
        <source>Everything stays on this computer: no picture leaves it, and nothing is kept unless you save it.</source>
        <translation>一切都留在这台电脑上：图像不会外传，除非您保存，否则不会留下任何内容。</translation>
    </message>
    <message>
        <source>Expected</source>
        <translation>期望值</translation>
    </message>
    <message>
        <source>Exposure</source>
        <translation>曝光</translation>
    </message>
    <message>
        <source>Exposure, focus and white balance, where the camera offers them</source>
        <translation>曝光、对焦和白平衡（若摄像头提供）</translation>
    </message>
    <message>
        <source>F</source>
        <comment>female, in a short label</comment>
        <translation>女</translation>
    </message>
    <message>
        <source>Face crops</source>
        <translation>人脸裁剪图</translation>
    </message>
    <message>
        <source>Face distance</source>
        <translation>人脸距离</translation>
    </message>
    <message>
        <source>Face {id}, not yet classified</source>
        <translation>人脸 {id}，尚未分类</translation>
    </message>
    <message>
        <source>Face {id}: {answers}</source>
        <translation>人脸 {id}：{answers}</translation>
    </message>
    <message>
        <source>Face {id}: {answers}, seen for {time}</source>
        <translation>人脸 {id}：{answers}，已出现 {time}</translation>
    </message>
    <message>
        <source>Faces</source>
        <translation>人脸</translation>
    </message>
    <message>
        <source>Faces classified</source>
        <translation>已分类人脸</translation>
    </message>
    <message>
        <source>Faces hidden</source>
        <translation>人脸已隐藏</translation>
    </message>
    <message>
        <source>Faces in view</source>
        <translation>画面中的人脸</translation>
    </message>
    <message>
        <source>Faces measured</source>
        <translation>测量的人脸数</translation>
    </message>
    <message>
        <source>Faces that need no camera</source>
        <translation>无需摄像头即可看到的人脸</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>Faster</source>
        <translation>加速</translation>
    </message>
    <message>
        <source>Feature maps</source>
        <translation>特征图</translation>
    </message>
    <message>
        <source>Female</source>
        <translation>女</translation>
    </message>
    <message>
        <source>Fewer ages</source>
        <translation>收起</translation>
    </message>
    <message>
        <source>File format</source>
        <translation>文件格式</translation>
    </message>
    <message>
        <source>Fine-tune a model</source>
        <translation>微调模型</translation>
    </message>
    <message>
        <source>Fine-tune a model…</source>
        <translation>微调模型…</translation>
    </message>
    <message>
        <source>First filters</source>
        <translation>第一层滤波器</translation>
    </message>
    <message>
        <source>First filters: {shown} of {total}</source>
        <translation>第一层滤波器：{shown} / {total}</translation>
    </message>
    <message>
        <source>Focus</source>
        <translation>对焦</translation>
    </message>
    <message>
        <source>Forget who was there so far</source>
        <translation>清除至今的在场计数</translation>
    </message>
    <message>
        <source>Format</source>
        <translation>格式</translation>
    </message>
    <message>
        <source>Frame rate</source>
        <translation>帧率</translation>
    </message>
    <message>
        <source>Frames</source>
        <translation>帧</translation>
    </message>
    <message>
        <source>From camera to screen</source>
        <translation>从摄像头到屏幕</translation>
    </message>
    <message>
        <source>Full colour: shown as this group. Pale: unsure, and this is the most probable group.</source>
        <translation>深色：显示为该组。浅色：不确定，该组的概率最大。</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>全屏</translation>
    </message>
    <message>
        <source>Gender</source>
        <translation>性别</translation>
    </message>
    <message>
        <source>Gender as labelled</source>
        <translation>性别与标注一致</translation>
    </message>
    <message>
        <source>Gender probability</source>
        <translation>性别概率</translation>
    </message>
    <message>
        <source>Gender probability of the other model</source>
        <translation>另一个模型的性别概率</translation>
    </message>
    <message>
        <source>Gender, calibration error</source>
        <translation>性别（校准误差）</translation>
    </message>
    <message>
        <source>Gender, worst group</source>
        <translation>性别（最差群体）</translation>
    </message>
    <message>
        <source>Gender?</source>
        <translation>性别？</translation>
    </message>
    <message>
        <source>Genders</source>
        <translation>性别</translation>
    </message>
    <message>
        <source>General</source>
        <translation>常规</translation>
    </message>
    <message>
        <source>Hide</source>
        <translation>隐藏内容</translation>
    </message>
    <message>
        <source>Hide faces</source>
        <translation>隐藏人脸</translation>
    </message>
    <message>
        <source>Hide nothing</source>
        <translation>不隐藏</translation>
    </message>
    <message>
        <source>Hide the whole picture</source>
        <translation>隐藏整个画面</translation>
    </message>
    <message>
        <source>Hides each face that is found, also where an edge of the picture cuts it, and for a second after it was lost. A face that is not found stays visible: one that is small, covered or turned away, or has only just come into view.</source>
        <translation>隐藏检测到的每一张人脸（包括被画面边缘截断的人脸），并在人脸丢失后继续隐藏一秒。未检测到的人脸仍然可见：例如过小、被遮挡、转向一侧或刚进入画面的人脸。</translation>
    </message>
    <message>
        <source>Hides the whole picture and draws only boxes and labels on it. Nobody can be recognised, whether their face is found or not.</source>
        <translation>隐藏整个画面，只在上面绘制方框和标签。无论是否检测到人脸，都无法认出任何人。</translation>
    </message>
    <message>
        <source>Higher: fewer mistakes, and fewer faces found</source>
        <translation>越高：误检越少，找到的人脸也越少</translation>
    </message>
    <message>
        <source>Hold</source>
        <translation>保持</translation>
    </message>
    <message>
        <source>How</source>
        <translation>隐藏方式</translation>
    </message>
    <message>
        <source>How often the model is right about your pictures</source>
        <translation>模型对您的图片判断正确的比例</translation>
    </message>
    <message>
        <source>How sure is that?</source>
        <translation>这些结果有多可靠？</translation>
    </message>
    <message>
        <source>I understand, start</source>
        <translation>我已了解，开始</translation>
    </message>
    <message>
        <source>In use</source>
        <translation>正在使用</translation>
    </message>
    <message>
        <source>In view now</source>
        <translation>当前可见</translation>
    </message>
    <message>
        <source>In view, mean</source>
        <translation>画面中（平均）</translation>
    </message>
    <message>
        <source>In view, most</source>
        <translation>画面中（最多）</translation>
    </message>
    <message>
        <source>In view: {count}</source>
        <translation>画面中：{count}</translation>
    </message>
    <message>
        <source>In view: {count}, listed: {listed}</source>
        <translation>画面中：{count}，列出：{listed}</translation>
    </message>
    <message>
        <source>Input as the network sees it</source>
        <translation>网络看到的输入</translation>
    </message>
    <message>
        <source>Install onnxruntime</source>
        <translation>请安装 onnxruntime</translation>
    </message>
    <message>
        <source>Install onnxruntime-openvino in place of onnxruntime</source>
        <translation>请安装 onnxruntime-openvino 以替代 onnxruntime</translation>
    </message>
    <message>
        <source>It begins with http://, https://, rtsp://, rtmp://, udp:// or tcp://.</source>
        <translation>以 http://、https://、rtsp://、rtmp://、udp:// 或 tcp:// 开头。</translation>
    </message>
    <message>
        <source>Keep this crop while you look at it</source>
        <translation>固定当前裁剪图，慢慢查看</translation>
    </message>
    <message>
        <source>Kept for this camera, and used again when it is opened.</source>
        <translation>为此摄像头保留，下次打开时再次使用。</translation>
    </message>
    <message>
        <source>Keyboard shortcuts</source>
        <translation>键盘快捷键</translation>
    </message>
    <message>
        <source>Landmarks</source>
        <translation>面部特征点</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>语言</translation>
    </message>
    <message>
        <source>Learn from</source>
        <translation>学习自</translation>
    </message>
    <message>
        <source>Leave full screen</source>
        <translation>退出全屏</translation>
    </message>
    <message>
        <source>Left and right as in a mirror</source>
        <translation>像照镜子一样左右对调</translation>
    </message>
    <message>
        <source>Let these figures stand, and save them, while counting goes on</source>
        <translation>让这些数字保持不变并可保存，计数照常进行</translation>
    </message>
    <message>
        <source>Licence: {text}</source>
        <translation>许可证：{text}</translation>
    </message>
    <message>
        <source>Licences</source>
        <translation>许可证</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Line crossings</source>
        <translation>越线计数</translation>
    </message>
    <message>
        <source>Line {number}</source>
        <translation>线 {number}</translation>
    </message>
    <message>
        <source>Line, in percent of the picture’s width and height</source>
        <translation>线，以画面宽度和高度的百分比表示</translation>
    </message>
    <message>
        <source>Line: where the true number lies with 95 % probability, judging by the model&apos;s measured errors.</source>
        <translation>线段：根据模型的实测误差，真实数量有 95% 的概率位于此范围内。</translation>
    </message>
    <message>
        <source>Live</source>
        <translation>实时</translation>
    </message>
    <message>
        <source>Loop</source>
        <translation>循环</translation>
    </message>
    <message>
        <source>M</source>
        <comment>male, in a short label</comment>
        <translation>男</translation>
    </message>
    <message>
        <source>Made on this computer by Agelens {version}.</source>
        <translation>由 Agelens {version} 在这台电脑上生成。</translation>
    </message>
    <message>
        <source>Male</source>
        <translation>男</translation>
    </message>
    <message>
        <source>Measuring: {done} of {total}</source>
        <translation>正在测量：{done}/{total}</translation>
    </message>
    <message>
        <source>Median</source>
        <translation>中位数</translation>
    </message>
    <message>
        <source>Median time in view</source>
        <translation>可见时间中位数</translation>
    </message>
    <message>
        <source>Minimum detection confidence</source>
        <translation>最低检测置信度</translation>
    </message>
    <message>
        <source>Mirror</source>
        <translation>镜像</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Model file {name}, SHA-256 {checksum}.</source>
        <translation>模型文件 {name}，SHA-256 {checksum}。</translation>
    </message>
    <message>
        <source>Model: {model}, measured on {pictures}.</source>
        <translation>模型：{model}，测量所用数据：{pictures}。</translation>
    </message>
    <message>
        <source>Model: {model}.</source>
        <translation>模型：{model}。</translation>
    </message>
    <message>
        <source>Model: {name}</source>
        <translation>模型：{name}</translation>
    </message>
    <message>
        <source>Most in view at once</source>
        <translation>同时可见最多</translation>
    </message>
    <message>
        <source>Name of the new model</source>
        <translation>新模型的名称</translation>
    </message>
    <message>
        <source>Near and far faces</source>
        <translation>近处和远处人脸</translation>
    </message>
    <message>
        <source>Near faces (fast)</source>
        <translation>近处人脸（快速）</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>网络</translation>
    </message>
    <message>
        <source>Network view</source>
        <translation>网络视图</translation>
    </message>
    <message>
        <source>Next file</source>
        <translation>下一个文件</translation>
    </message>
    <message>
        <source>Next frame</source>
        <translation>下一帧</translation>
    </message>
    <message>
        <source>No camera found</source>
        <translation>未找到摄像头</translation>
    </message>
    <message>
        <source>No camera was found, so this is the demo.</source>
        <translation>未找到摄像头，因此显示演示。</translation>
    </message>
    <message>
        <source>No device of this machine can decode this film: the processor does.</source>
        <translation>本机没有能解码此视频的设备，由处理器解码。</translation>
    </message>
    <message>
        <source>No face in this picture.</source>
        <translation>此图片中没有人脸。</translation>
    </message>
    <message>
        <source>No face in view.
People appear here as soon as they face the camera.</source>
        <translation>画面中没有人脸。
有人面向摄像头时会显示在这里。</translation>
    </message>
    <message>
        <source>No face to look at.
Select one in the picture or in the list of faces.</source>
        <translation>没有可查看的人脸。
请在图像或人脸列表中选择一个。</translation>
    </message>
    <message>
        <source>No model is in use yet.</source>
        <translation>尚未使用模型。</translation>
    </message>
    <message>
        <source>No model is loaded.</source>
        <translation>尚未加载模型。</translation>
    </message>
    <message>
        <source>No other model</source>
        <translation>无其他模型</translation>
    </message>
    <message>
        <source>No picture</source>
        <translation>没有画面</translation>
    </message>
    <message>
        <source>None</source>
        <translation>无</translation>
    </message>
    <message numerus="yes">
        <source>Not counted: %n sighting(s) in fewer than three frames, which may be no faces.</source>
        <translation>
            <numerusform>未计入：%n 次出现不足三帧，可能不是人脸。</numerusform>
        </translation>
    </message>
    <message>
        <source>Not looked at</source>
        <translation>尚未查看</translation>
    </message>
    <message>
        <source>Nothing</source>
        <translation>无</translation>
    </message>
    <message>
        <source>Nothing to compare yet.</source>
        <translation>还没有可比较的内容。</translation>
    </message>
    <message>
        <source>Nothing was counted.</source>
        <translation>没有可计数的内容。</translation>
    </message>
    <message>
        <source>Nothing was recorded</source>
        <translation>没有录制任何内容</translation>
    </message>
    <message>
        <source>Nothing was recorded: no picture came in that time.</source>
        <translation>没有录制任何内容：这段时间内没有传来图像。</translation>
    </message>
    <message>
        <source>One frame every {every} s was looked at.</source>
        <translation>每 {every} 秒只分析一帧。</translation>
    </message>
    <message>
        <source>Only the time from {start} s on was looked at.</source>
        <translation>只分析了从第 {start} 秒开始的部分。</translation>
    </message>
    <message>
        <source>Only the time from {start} s to {end} s was looked at.</source>
        <translation>只分析了第 {start} 秒到第 {end} 秒的部分。</translation>
    </message>
    <message>
        <source>Open a folder, or drop several pictures, to go through them one by one.</source>
        <translation>打开文件夹或拖入多张图片，即可逐张查看。</translation>
    </message>
    <message>
        <source>Open camera</source>
        <translation>打开摄像头</translation>
    </message>
    <message>
        <source>Open files</source>
        <translation>打开文件</translation>
    </message>
    <message>
        <source>Open files…</source>
        <translation>打开文件…</translation>
    </message>
    <message>
        <source>Open folder</source>
        <translation>打开文件夹</translation>
    </message>
    <message>
        <source>Open folder…</source>
        <translation>打开文件夹…</translation>
    </message>
    <message>
        <source>Open recordings folder</source>
        <translation>打开录像文件夹</translation>
    </message>
    <message>
        <source>Open screenshots folder</source>
        <translation>打开截图文件夹</translation>
    </message>
    <message>
        <source>Open stream</source>
        <translation>打开网络流</translation>
    </message>
    <message>
        <source>Open stream…</source>
        <translation>打开网络流…</translation>
    </message>
    <message>
        <source>Orange supports the answer, blue speaks against it.</source>
        <translation>橙色支持该答案，蓝色反对该答案。</translation>
    </message>
    <message>
        <source>Over time</source>
        <translation>随时间的变化</translation>
    </message>
    <message>
        <source>Overlay</source>
        <translation>叠加显示</translation>
    </message>
    <message>
        <source>Panels</source>
        <translation>面板</translation>
    </message>
    <message>
        <source>Passes over the pictures</source>
        <translation>遍历图片的次数</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Pause recording</source>
        <translation>暂停录制</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>People in view</source>
        <translation>画面中的人</translation>
    </message>
    <message>
        <source>People labelled as</source>
        <translation>标注为</translation>
    </message>
    <message>
        <source>Perceived gender</source>
        <translation>感知性别</translation>
    </message>
    <message>
        <source>Picture</source>
        <translation>画面</translation>
    </message>
    <message>
        <source>Picture hidden</source>
        <translation>画面已隐藏</translation>
    </message>
    <message>
        <source>Pictures</source>
        <translation>图片</translation>
    </message>
    <message>
        <source>Pictures in a burst</source>
        <translation>连拍张数</translation>
    </message>
    <message>
        <source>Pictures measured</source>
        <translation>测试图像数</translation>
    </message>
    <message>
        <source>Pictures per second, capture to screen, faces in view, provider, frames skipped to keep up</source>
        <translation>每秒图像数、采集到显示的延迟、画面中的人脸、运行设备、为保持实时而跳过的帧</translation>
    </message>
    <message>
        <source>Pixelate</source>
        <translation>马赛克</translation>
    </message>
    <message>
        <source>Play</source>
        <translation>播放</translation>
    </message>
    <message>
        <source>Playing</source>
        <translation>正在播放</translation>
    </message>
    <message>
        <source>Position</source>
        <translation>位置</translation>
    </message>
    <message>
        <source>Position in the video</source>
        <translation>视频中的位置</translation>
    </message>
    <message>
        <source>Preferences</source>
        <translation>首选项</translation>
    </message>
    <message>
        <source>Preferences…</source>
        <translation>首选项…</translation>
    </message>
    <message>
        <source>Press Start to continue.</source>
        <translation>按“开始”继续。</translation>
    </message>
    <message>
        <source>Press and drag to cover a place and watch the answer</source>
        <translation>按住并拖动以遮住某处，观察结果的变化</translation>
    </message>
    <message>
        <source>Previous file</source>
        <translation>上一个文件</translation>
    </message>
    <message>
        <source>Previous frame</source>
        <translation>上一帧</translation>
    </message>
    <message>
        <source>Privacy</source>
        <translation>隐私</translation>
    </message>
    <message>
        <source>Privacy and limits</source>
        <translation>隐私与局限</translation>
    </message>
    <message>
        <source>Privacy mode</source>
        <translation>隐私模式</translation>
    </message>
    <message>
        <source>Privacy mode hides faces, so the network view shows nothing.</source>
        <translation>隐私模式隐藏人脸，因此网络视图不显示任何内容。</translation>
    </message>
    <message>
        <source>Privacy mode: faces are hidden</source>
        <translation>隐私模式：隐藏人脸</translation>
    </message>
    <message>
        <source>Privacy mode: nothing is hidden</source>
        <translation>隐私模式：不隐藏</translation>
    </message>
    <message>
        <source>Privacy mode: the picture is hidden</source>
        <translation>隐私模式：隐藏画面</translation>
    </message>
    <message>
        <source>Provider: {name}</source>
        <translation>运行设备：{name}</translation>
    </message>
    <message>
        <source>Queue of face crops</source>
        <translation>人脸裁剪图队列</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>退出</translation>
    </message>
    <message>
        <source>Rates and delays</source>
        <translation>速率与延迟</translation>
    </message>
    <message>
        <source>Rates per second</source>
        <translation>每秒速率</translation>
    </message>
    <message>
        <source>Read</source>
        <translation>读取</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>就绪</translation>
    </message>
    <message>
        <source>Recent</source>
        <translation>最近使用</translation>
    </message>
    <message>
        <source>Recognition</source>
        <translation>识别</translation>
    </message>
    <message>
        <source>Reconnecting…</source>
        <translation>正在重新连接…</translation>
    </message>
    <message>
        <source>Record</source>
        <translation>录制</translation>
    </message>
    <message>
        <source>Recorded pictures</source>
        <translation>录制的图像</translation>
    </message>
    <message>
        <source>Recordings</source>
        <translation>录像</translation>
    </message>
    <message>
        <source>Recordings have no sound: Agelens never listens.</source>
        <translation>录像没有声音：Agelens 从不收听。</translation>
    </message>
    <message>
        <source>Remove the lines</source>
        <translation>移除线</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>报告</translation>
    </message>
    <message>
        <source>Resume recording</source>
        <translation>继续录制</translation>
    </message>
    <message>
        <source>Rows: your corrections. Columns: the model’s most probable answer. To judge the model, correct or confirm all faces of some pictures, not only the wrong ones.</source>
        <translation>行：您的更正。列：模型最可能的回答。要评判模型，请更正或确认若干图片中的全部人脸，而不只是错误的。</translation>
    </message>
    <message>
        <source>Runs on</source>
        <translation>运行于</translation>
    </message>
    <message>
        <source>Save corrections</source>
        <translation>保存更正</translation>
    </message>
    <message>
        <source>Save corrections…</source>
        <translation>保存更正…</translation>
    </message>
    <message>
        <source>Save figure</source>
        <translation>保存图形</translation>
    </message>
    <message>
        <source>Save figure…</source>
        <translation>保存图形…</translation>
    </message>
    <message>
        <source>Save predictions with recordings</source>
        <translation>随录像保存预测结果</translation>
    </message>
    <message>
        <source>Save session summary</source>
        <translation>保存会话摘要</translation>
    </message>
    <message>
        <source>Save session summary…</source>
        <translation>保存会话摘要…</translation>
    </message>
    <message numerus="yes">
        <source>Saved %n picture(s) in {folder}</source>
        <translation>
            <numerusform>已将 %n 张图片保存到 {folder}</numerusform>
        </translation>
    </message>
    <message>
        <source>Saved {name}</source>
        <translation>已保存 {name}</translation>
    </message>
    <message>
        <source>Saved {name}. What you correct from now on is saved there as well.</source>
        <translation>已保存 {name}。之后的更正也会保存到其中。</translation>
    </message>
    <message>
        <source>Saving</source>
        <translation>保存</translation>
    </message>
    <message>
        <source>Saving…</source>
        <translation>正在保存…</translation>
    </message>
    <message>
        <source>Screen</source>
        <translation>屏幕</translation>
    </message>
    <message>
        <source>Screenshot</source>
        <translation>截图</translation>
    </message>
    <message>
        <source>Screenshots</source>
        <translation>截图</translation>
    </message>
    <message>
        <source>Selected face</source>
        <translation>选中的人脸</translation>
    </message>
    <message>
        <source>Several pages, only the first one is shown: {names}</source>
        <translation>包含多页、仅显示第一页：{names}</translation>
    </message>
    <message>
        <source>Several screenshots in a row</source>
        <translation>连续截取多张</translation>
    </message>
    <message>
        <source>Shortened names that are too long for the folder: {names}</source>
        <translation>对文件夹来说过长的名称已缩短：{names}</translation>
    </message>
    <message>
        <source>Show</source>
        <translation>显示</translation>
    </message>
    <message>
        <source>Show in folder</source>
        <translation>在文件夹中显示</translation>
    </message>
    <message>
        <source>Show the demo</source>
        <translation>观看演示</translation>
    </message>
    <message>
        <source>Shown as it</source>
        <translation>显示为该组</translation>
    </message>
    <message>
        <source>Shutter delay</source>
        <translation>快门延时</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>尺寸</translation>
    </message>
    <message numerus="yes">
        <source>Skipped %n damaged picture(s) of “{name}”.</source>
        <translation>
            <numerusform>已跳过“{name}”传来的 %n 张损坏图像。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Skipped %n file(s) that cannot be read: {names}</source>
        <translation>
            <numerusform>已跳过 %n 个无法读取的文件：{names}</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Skipped %n unreadable picture(s): {names}</source>
        <translation>
            <numerusform>已跳过 %n 张无法读取的图片：{names}</numerusform>
        </translation>
    </message>
    <message>
        <source>Skipped a file. {reason}</source>
        <translation>已跳过一个文件。{reason}</translation>
    </message>
    <message>
        <source>Skipped to keep up</source>
        <translation>为保持实时而跳过</translation>
    </message>
    <message>
        <source>Slower</source>
        <translation>减速</translation>
    </message>
    <message>
        <source>Some settings are invalid and were replaced by the defaults: {names}.</source>
        <translation>部分设置无效，已恢复为默认值：{names}。</translation>
    </message>
    <message>
        <source>Sort</source>
        <translation>排序</translation>
    </message>
    <message>
        <source>Sort by age</source>
        <translation>按年龄排序</translation>
    </message>
    <message>
        <source>Sort by gender</source>
        <translation>按性别排序</translation>
    </message>
    <message>
        <source>Sort by time</source>
        <translation>按时间排序</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>速度</translation>
    </message>
    <message>
        <source>Speed  ([ and ])</source>
        <translation>速度  ([ 和 ])</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>开始</translation>
    </message>
    <message>
        <source>Start again</source>
        <translation>重新开始</translation>
    </message>
    <message>
        <source>Start again at the end</source>
        <translation>结束后从头开始</translation>
    </message>
    <message>
        <source>Start from</source>
        <translation>起始模型</translation>
    </message>
    <message>
        <source>Start the source</source>
        <translation>启动来源</translation>
    </message>
    <message>
        <source>Start with `uv run --no-group cpu --extra cuda main.py` on a machine with an NVIDIA GPU</source>
        <translation>请在装有 NVIDIA GPU 的电脑上用 `uv run --no-group cpu --extra cuda main.py` 启动</translation>
    </message>
    <message>
        <source>Starting…</source>
        <translation>正在启动…</translation>
    </message>
    <message>
        <source>Statistics</source>
        <translation>统计</translation>
    </message>
    <message>
        <source>Statistics in the picture</source>
        <translation>图像中的统计信息</translation>
    </message>
    <message>
        <source>Still picture</source>
        <translation>静态图片</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Stop recording</source>
        <translation>停止录制</translation>
    </message>
    <message>
        <source>Stop the source</source>
        <translation>停止来源</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>Table of labelled pictures</source>
        <translation>带标注的图片表</translation>
    </message>
    <message>
        <source>Table of visits</source>
        <translation>访问表</translation>
    </message>
    <message>
        <source>Teach a model by your corrections, or by a table of labelled pictures</source>
        <translation>用您的更正或带标注的图片表来训练模型</translation>
    </message>
    <message>
        <source>Tell people that they are counted, and why. Ask for their consent where the law or your ethics board requires it. Do not use these numbers to decide anything about anyone.</source>
        <translation>请告知人们正在进行计数以及原因。在法律或伦理委员会要求时，请征得他们的同意。请勿用这些数字对任何人作出决定。</translation>
    </message>
    <message>
        <source>Tell the people in view, and ask before you record. The button with the eye hides them:</source>
        <translation>请告知画面中的人，并在录制前征得同意。带眼睛图标的按钮可以隐藏他们：</translation>
    </message>
    <message>
        <source>Ten views are a little more accurate and about ten times as much work.</source>
        <translation>十个视图略微更准确，但计算量约为十倍。</translation>
    </message>
    <message>
        <source>That line is too short. Drag from one end to the other.</source>
        <translation>这条线太短。请从一端拖到另一端。</translation>
    </message>
    <message>
        <source>The answer {name} rests on no single place.</source>
        <translation>答案 {name} 不依赖于任何单一位置。</translation>
    </message>
    <message>
        <source>The end</source>
        <translation>播放结束</translation>
    </message>
    <message>
        <source>The errors of this model were not measured, so no interval can be given: the counts may be wrong by any amount.</source>
        <translation>该模型的误差未经测量，因此无法给出区间：计数的误差可能是任意大小。</translation>
    </message>
    <message>
        <source>The file that is shown: {name}</source>
        <translation>正在显示的文件：{name}</translation>
    </message>
    <message>
        <source>The label {label} is the average of many crops; this one alone says {name}.</source>
        <translation>标签 {label} 是多张裁剪图的平均结果；仅此一张的答案是 {name}。</translation>
    </message>
    <message>
        <source>The model gives the age group and the gender that people perceive in a face. It knows neither anyone&apos;s age nor gender. An answer that is too improbable is counted as unsure.</source>
        <translation>模型给出的是人们从面部感知到的年龄段和性别，并不知道任何人的真实年龄或性别。概率过低的结果计为不确定。</translation>
    </message>
    <message>
        <source>The model is right</source>
        <translation>模型判断正确</translation>
    </message>
    <message>
        <source>The network that guesses age and gender</source>
        <translation>猜测年龄和性别的网络</translation>
    </message>
    <message>
        <source>The pictures of a folder, one by one</source>
        <translation>逐张查看文件夹中的图片</translation>
    </message>
    <message>
        <source>The predictions in “{path}” ended: {reason}.</source>
        <translation>“{path}”中的预测记录已结束：{reason}。</translation>
    </message>
    <message>
        <source>The recording continues from file to file, without sound and in the size of the first picture.</source>
        <translation>录制会在文件之间继续，不含声音，尺寸以第一幅画面为准。</translation>
    </message>
    <message>
        <source>The recording ended: Agelens has a defect. Start again, and report it.</source>
        <translation>录制已结束：Agelens 出现错误。请重新开始，并报告此问题。</translation>
    </message>
    <message>
        <source>The recording ended: {reason}. {kept}.</source>
        <translation>录制已结束：{reason}。{kept}。</translation>
    </message>
    <message>
        <source>The recording is complete but is called “{name}”: {reason}.</source>
        <translation>录像已完成，但名称为“{name}”：{reason}。</translation>
    </message>
    <message>
        <source>The sound of “{name}” is not kept: voices tell who people are.</source>
        <translation>“{name}”的声音未保留：声音会透露人的身份。</translation>
    </message>
    <message>
        <source>The sound of “{name}” is not kept: {suffix} files cannot hold it.</source>
        <translation>“{name}”的声音未保留：{suffix} 文件无法容纳它。</translation>
    </message>
    <message>
        <source>The sound of “{name}” is not recorded.</source>
        <translation>不会录制“{name}”的声音。</translation>
    </message>
    <message>
        <source>The source changed, so the recording ended: {name}</source>
        <translation>输入源已更换，录制因此结束：{name}</translation>
    </message>
    <message>
        <source>The source sends no pictures. Agelens continues as soon as it does.</source>
        <translation>来源没有传来图像。一旦恢复，Agelens 将自动继续。</translation>
    </message>
    <message>
        <source>The video with the faces that were found</source>
        <translation>带有已找到人脸的视频</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>主题</translation>
    </message>
    <message>
        <source>There is a model “{name}” already. Choose another name.</source>
        <translation>已有名为“{name}”的模型。请换一个名称。</translation>
    </message>
    <message>
        <source>This file holds counts only: no picture, and no line about a single visit. Where few people were there, counts can still say something about each of them.</source>
        <translation>本文件只含计数：没有图像，也没有关于单次访问的记录。当人数很少时，计数仍可能透露个人的信息。</translation>
    </message>
    <message>
        <source>This holds for the view, the panels, recordings and screenshots.</source>
        <translation>这适用于画面、面板、录制和截图。</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>Time in view: half of the visits lasted between {lower} and {upper} s (median {median} s, longest {longest} s).</source>
        <translation>停留时间：一半的访问持续 {lower} 到 {upper} 秒（中位数 {median} 秒，最长 {longest} 秒）。</translation>
    </message>
    <message>
        <source>Time per step</source>
        <translation>各步骤耗时</translation>
    </message>
    <message>
        <source>Too brief to count</source>
        <translation>过短未计入</translation>
    </message>
    <message>
        <source>Track</source>
        <translation>跟踪</translation>
    </message>
    <message>
        <source>Track numbers</source>
        <translation>跟踪编号</translation>
    </message>
    <message>
        <source>Training: step {done} of {total}</source>
        <translation>正在训练：第 {done} 步，共 {total} 步</translation>
    </message>
    <message>
        <source>True number, 95 % interval</source>
        <translation>真实数量（95% 区间）</translation>
    </message>
    <message>
        <source>Unsure</source>
        <translation>不确定</translation>
    </message>
    <message>
        <source>Unsure age</source>
        <translation>年龄不确定</translation>
    </message>
    <message>
        <source>Unsure gender</source>
        <translation>性别不确定</translation>
    </message>
    <message>
        <source>Unsure, most probable</source>
        <translation>不确定，概率最大</translation>
    </message>
    <message>
        <source>Use Agelens on Windows</source>
        <translation>请在 Windows 上使用 Agelens</translation>
    </message>
    <message>
        <source>Use Agelens on macOS</source>
        <translation>请在 macOS 上使用 Agelens</translation>
    </message>
    <message>
        <source>Use defaults</source>
        <translation>使用默认值</translation>
    </message>
    <message>
        <source>Use system setting</source>
        <translation>跟随系统</translation>
    </message>
    <message>
        <source>Use the new model</source>
        <translation>使用新模型</translation>
    </message>
    <message>
        <source>Version {version}</source>
        <translation>版本 {version}</translation>
    </message>
    <message>
        <source>Videos and pictures</source>
        <translation>视频和图片</translation>
    </message>
    <message>
        <source>Visits</source>
        <translation>访问次数</translation>
    </message>
    <message>
        <source>Welcome to Agelens</source>
        <translation>欢迎使用 Agelens</translation>
    </message>
    <message>
        <source>What the answer rests on</source>
        <translation>答案的依据</translation>
    </message>
    <message>
        <source>What the network runs on</source>
        <translation>网络的运行设备</translation>
    </message>
    <message>
        <source>What the network sees</source>
        <translation>网络看到的内容</translation>
    </message>
    <message>
        <source>What these numbers are, and are not</source>
        <translation>如何理解这些数字</translation>
    </message>
    <message>
        <source>What to look at: {name}</source>
        <translation>查看内容：{name}</translation>
    </message>
    <message>
        <source>What was recorded before is “{path}”</source>
        <translation>此前录制的内容保存在“{path}”</translation>
    </message>
    <message>
        <source>What was recorded went with it</source>
        <translation>已录制的内容随之丢失</translation>
    </message>
    <message>
        <source>What you said of faces, as a table that fine-tuning takes</source>
        <translation>您对人脸的更正，保存为可用于微调的表格</translation>
    </message>
    <message>
        <source>When</source>
        <translation>何时</translation>
    </message>
    <message>
        <source>Whiskers and brackets: where the true number lies with 95 % probability, judging by the model’s measured errors. Pale: unsure. A visit is one face from first to last sighting; nobody is recognised.</source>
        <translation>须线和括号：根据模型实测误差，真实数量以 95 % 的概率落在此区间。浅色：不确定。一次访问是指一张人脸从首次出现到最后一次出现；不识别任何人。</translation>
    </message>
    <message>
        <source>White balance</source>
        <translation>白平衡</translation>
    </message>
    <message>
        <source>Who is in view</source>
        <translation>画面中的人</translation>
    </message>
    <message>
        <source>Who was there so far</source>
        <translation>至今谁在场</translation>
    </message>
    <message>
        <source>Who was there, when and how long, with no picture</source>
        <translation>谁在场、何时、多久，不含图像</translation>
    </message>
    <message>
        <source>Who: age group</source>
        <translation>谁：年龄段</translation>
    </message>
    <message>
        <source>Who: age group and perceived gender</source>
        <translation>谁：年龄段和感知性别</translation>
    </message>
    <message>
        <source>Whole picture</source>
        <translation>完整图像</translation>
    </message>
    <message>
        <source>With the patch: {name} {before} → {after}</source>
        <translation>遮挡后：{name} {before} → {after}</translation>
    </message>
    <message>
        <source>With the strongest orange place covered, {name} falls from {before} to {after}.</source>
        <translation>遮住最强的橙色区域后，{name} 从 {before} 降至 {after}。</translation>
    </message>
    <message>
        <source>Within one group</source>
        <translation>相差不超过一段</translation>
    </message>
    <message>
        <source>Without it gender is neither computed nor shown, and its columns stay empty.</source>
        <translation>关闭后既不计算也不显示性别，表格中的性别列为空。</translation>
    </message>
    <message>
        <source>Without sound, as shown</source>
        <translation>按所见录制，无声音</translation>
    </message>
    <message>
        <source>Your corrections against the model</source>
        <translation>您的更正与模型对比</translation>
    </message>
    <message numerus="yes">
        <source>Your corrections of %n face(s) are in no file.</source>
        <translation>
            <numerusform>您对 %n 张人脸的更正尚未保存到文件。</numerusform>
        </translation>
    </message>
    <message>
        <source>Zoom in</source>
        <translation>放大</translation>
    </message>
    <message>
        <source>Zoom out</source>
        <translation>缩小</translation>
    </message>
    <message>
        <source>a device, a pipe or a broken link has that name, and only files are replaced. Choose another name</source>
        <translation>该名称属于设备、管道或失效的链接，而只有文件才能被替换。请选择其他名称</translation>
    </message>
    <message>
        <source>a file of that name exists already. Choose another name or allow overwriting</source>
        <translation>已有同名文件。请选择其他名称或允许覆盖</translation>
    </message>
    <message>
        <source>a part of the path is not a folder. Choose another folder</source>
        <translation>路径的一部分不是文件夹。请选择其他文件夹</translation>
    </message>
    <message>
        <source>age</source>
        <translation>年龄</translation>
    </message>
    <message>
        <source>age unsure</source>
        <translation>年龄不确定</translation>
    </message>
    <message>
        <source>age unsure, {name} ({share})</source>
        <translation>年龄不确定，{name}（{share}）</translation>
    </message>
    <message>
        <source>arrivals</source>
        <translation>到达</translation>
    </message>
    <message>
        <source>faces counted</source>
        <translation>计入的人脸</translation>
    </message>
    <message>
        <source>from {x1}, {y1} to {x2}, {y2}</source>
        <translation>从 {x1}, {y1} 到 {x2}, {y2}</translation>
    </message>
    <message>
        <source>gender</source>
        <translation>性别</translation>
    </message>
    <message>
        <source>gender unsure</source>
        <translation>性别不确定</translation>
    </message>
    <message>
        <source>has no {name}</source>
        <translation>缺少 {name}</translation>
    </message>
    <message>
        <source>in view, mean</source>
        <translation>画面中（平均）</translation>
    </message>
    <message>
        <source>is missing</source>
        <translation>缺失</translation>
    </message>
    <message>
        <source>it cannot be read</source>
        <translation>无法读取</translation>
    </message>
    <message>
        <source>it cannot be tried ({reason})</source>
        <translation>无法试运行（{reason}）</translation>
    </message>
    <message>
        <source>it contains a loop, which may never end. Export it without loops</source>
        <translation>其中含有可能永不结束的循环。请导出不含循环的网络</translation>
    </message>
    <message>
        <source>it contains no settings</source>
        <translation>其中没有设置</translation>
    </message>
    <message>
        <source>it contains values that are no numbers</source>
        <translation>其中含有非数值</translation>
    </message>
    <message>
        <source>it crashes ONNX Runtime. Export it again</source>
        <translation>它使 ONNX Runtime 崩溃。请重新导出</translation>
    </message>
    <message>
        <source>it is damaged</source>
        <translation>文件已损坏</translation>
    </message>
    <message>
        <source>it is damaged or is not a PNG file</source>
        <translation>文件已损坏或不是 PNG 文件</translation>
    </message>
    <message>
        <source>it is larger than {limit} MB</source>
        <translation>文件大于 {limit} MB</translation>
    </message>
    <message>
        <source>it is nested too deeply</source>
        <translation>嵌套过深</translation>
    </message>
    <message>
        <source>it is no .npy file of numbers</source>
        <translation>不是由数字组成的 .npy 文件</translation>
    </message>
    <message>
        <source>it is not UTF-8 text</source>
        <translation>不是 UTF-8 文本</translation>
    </message>
    <message>
        <source>it is not a file</source>
        <translation>它不是文件</translation>
    </message>
    <message>
        <source>it is not a picture of three channels</source>
        <translation>它不是三通道图像</translation>
    </message>
    <message>
        <source>it is too large</source>
        <translation>它太大</translation>
    </message>
    <message>
        <source>it lists {count} {kind} labels but the network answers with {classes}</source>
        <translation>它列出了 {count} 个{kind}标签，但网络给出 {classes} 个</translation>
    </message>
    <message>
        <source>it takes far more memory than a network of its size needs. Export it again</source>
        <translation>它占用的内存远超同等大小网络所需。请重新导出</translation>
    </message>
    <message>
        <source>it takes far more time than a network of its size needs. Export it again</source>
        <translation>它耗费的时间远超同等大小网络所需。请重新导出</translation>
    </message>
    <message numerus="yes">
        <source>its network does not run on %n face(s) ({reason})</source>
        <translation>
            <numerusform>其网络无法处理 %n 张人脸（{reason}）</numerusform>
        </translation>
    </message>
    <message>
        <source>its network takes {taken}, not N×3×{size}×{size}</source>
        <translation>其网络的输入为 {taken}，而不是 N×3×{size}×{size}</translation>
    </message>
    <message>
        <source>its network takes {taken}, not float32</source>
        <translation>其网络的输入为 {taken}，而不是 float32</translation>
    </message>
    <message>
        <source>its network&apos;s answers are not probabilities</source>
        <translation>其网络的输出不是概率</translation>
    </message>
    <message>
        <source>its weights are in other files or packed. Export it as one plain file</source>
        <translation>其权重位于其他文件中或经过压缩。请导出为单个普通文件</translation>
    </message>
    <message numerus="yes">
        <source>length (%n frame(s))</source>
        <translation>
            <numerusform>时长（%n 帧）</numerusform>
        </translation>
    </message>
    <message>
        <source>may hold only a-z, 0-9, &apos;.&apos; and &apos;-&apos;, the first a letter or digit</source>
        <translation>只能包含 a-z、0-9、“.”和“-”，且首字符须为字母或数字</translation>
    </message>
    <message>
        <source>median time in view (min:s)</source>
        <translation>停留时间中位数（分:秒）</translation>
    </message>
    <message>
        <source>most in view at once</source>
        <translation>同时在画面中（最多）</translation>
    </message>
    <message>
        <source>must be a list</source>
        <translation>必须是列表</translation>
    </message>
    <message>
        <source>must be a number</source>
        <translation>必须是数</translation>
    </message>
    <message>
        <source>must be a number, three numbers or the name of a .npy file beside the manifest</source>
        <translation>必须是一个数、三个数，或清单旁某个 .npy 文件的名称</translation>
    </message>
    <message>
        <source>must be a table</source>
        <translation>必须是表</translation>
    </message>
    <message>
        <source>must be a text</source>
        <translation>必须是文本</translation>
    </message>
    <message>
        <source>must be a whole number</source>
        <translation>必须是整数</translation>
    </message>
    <message>
        <source>must be at least {limit}</source>
        <translation>不得小于 {limit}</translation>
    </message>
    <message>
        <source>must be at most {limit}</source>
        <translation>不得大于 {limit}</translation>
    </message>
    <message>
        <source>must be one line of text, of at most {count} letters</source>
        <translation>必须是一行文本，且不超过 {count} 个字符</translation>
    </message>
    <message>
        <source>must be the name of a file beside the manifest</source>
        <translation>必须是清单旁某个文件的名称</translation>
    </message>
    <message>
        <source>must be the same file as outputs.gender.file where the architecture is two-head</source>
        <translation>在架构为 two-head 时必须与 outputs.gender.file 是同一个文件</translation>
    </message>
    <message>
        <source>must be {cells} rows of {cells} numbers</source>
        <translation>必须是 {cells} 行，每行 {cells} 个数字</translation>
    </message>
    <message>
        <source>must be {expected}</source>
        <translation>必须是 {expected}</translation>
    </message>
    <message>
        <source>must go from young to old</source>
        <translation>必须从小到大排列</translation>
    </message>
    <message>
        <source>must have a `high` that is not below its `low`</source>
        <translation>的 `high` 不得小于其 `low`</translation>
    </message>
    <message>
        <source>must have at least {count} entries</source>
        <translation>至少要有 {count} 项</translation>
    </message>
    <message>
        <source>must have at most {count} entries</source>
        <translation>最多只能有 {count} 项</translation>
    </message>
    <message>
        <source>must not be 0</source>
        <translation>不得为 0</translation>
    </message>
    <message>
        <source>must not be empty</source>
        <translation>不得为空</translation>
    </message>
    <message>
        <source>must not give two groups one name</source>
        <translation>的各组名称不得重复</translation>
    </message>
    <message>
        <source>must not hold one name twice</source>
        <translation>的名称不得重复</translation>
    </message>
    <message>
        <source>no data came in time</source>
        <translation>数据未及时到达</translation>
    </message>
    <message>
        <source>no face</source>
        <translation>没有人脸</translation>
    </message>
    <message>
        <source>none</source>
        <translation>无</translation>
    </message>
    <message>
        <source>not measured</source>
        <translation>未测量</translation>
    </message>
    <message>
        <source>not stated</source>
        <translation>未说明</translation>
    </message>
    <message>
        <source>nothing</source>
        <translation>空</translation>
    </message>
    <message>
        <source>nothing that can be read came from there</source>
        <translation>没有收到可读取的内容</translation>
    </message>
    <message>
        <source>nothing that can be read follows</source>
        <translation>之后没有可读取的内容</translation>
    </message>
    <message>
        <source>now</source>
        <translation>现在</translation>
    </message>
    <message>
        <source>one of its lines has too many dots</source>
        <translation>其中一行的点号过多</translation>
    </message>
    <message>
        <source>pictures show a face</source>
        <translation>张图片中有人脸</translation>
    </message>
    <message>
        <source>seen for {time}</source>
        <translation>已出现 {time}</translation>
    </message>
    <message>
        <source>the connection ended</source>
        <translation>连接已结束</translation>
    </message>
    <message>
        <source>the disk is almost full. Free some space or choose another folder</source>
        <translation>磁盘快满了。请释放空间或选择其他文件夹</translation>
    </message>
    <message>
        <source>the disk is full. Free some space or choose another folder</source>
        <translation>磁盘已满。请释放空间或选择其他文件夹</translation>
    </message>
    <message>
        <source>the disk is write-protected. Choose another folder</source>
        <translation>磁盘已写保护。请选择其他文件夹</translation>
    </message>
    <message>
        <source>the disk reports an error. Check it or choose another one</source>
        <translation>磁盘报告错误。请检查或选择其他磁盘</translation>
    </message>
    <message>
        <source>the file became larger than this disk allows. Choose another disk</source>
        <translation>文件超出了该磁盘允许的大小。请选择其他磁盘</translation>
    </message>
    <message>
        <source>the file or its folder was removed meanwhile. Choose a folder that stays</source>
        <translation>文件或其文件夹已被移除。请选择一直可用的文件夹</translation>
    </message>
    <message>
        <source>the folder does not exist. Create it or choose another one</source>
        <translation>文件夹不存在。请创建它或选择其他文件夹</translation>
    </message>
    <message>
        <source>the name is too long. Choose a shorter one</source>
        <translation>名称过长。请选择较短的名称</translation>
    </message>
    <message>
        <source>the names in its network are not UTF-8 text</source>
        <translation>其网络中的名称不是 UTF-8 文本</translation>
    </message>
    <message>
        <source>the system reports “{reason}”. Choose another folder</source>
        <translation>系统报告“{reason}”。请选择其他文件夹</translation>
    </message>
    <message>
        <source>the video encoder failed. Try again with another resolution</source>
        <translation>视频编码器出现故障。请改用其他分辨率重试</translation>
    </message>
    <message>
        <source>there is a folder of that name. Choose another name</source>
        <translation>已有同名文件夹。请选择其他名称</translation>
    </message>
    <message>
        <source>true number {low} to {high}</source>
        <translation>真实数量 {low} 到 {high}</translation>
    </message>
    <message>
        <source>visits counted</source>
        <translation>计入的访问</translation>
    </message>
    <message>
        <source>with an unsure age</source>
        <translation>年龄不确定</translation>
    </message>
    <message>
        <source>with an unsure gender</source>
        <translation>性别不确定</translation>
    </message>
    <message>
        <source>writing there is not allowed. Choose another folder</source>
        <translation>不允许写入该位置。请选择其他文件夹</translation>
    </message>
    <message>
        <source>your disk quota is used up. Free some space or choose another folder</source>
        <translation>磁盘配额已用完。请释放空间或选择其他文件夹</translation>
    </message>
    <message>
        <source>{count} s</source>
        <translation>{count} 秒</translation>
    </message>
    <message>
        <source>{count} skipped</source>
        <translation>跳过 {count} 帧</translation>
    </message>
    <message>
        <source>{delay} ms</source>
        <translation>{delay} ms</translation>
    </message>
    <message>
        <source>{field} {problem}</source>
        <translation>{field} {problem}</translation>
    </message>
    <message>
        <source>{key} or {other}</source>
        <translation>{key} 或 {other}</translation>
    </message>
    <message>
        <source>{layer}, rectified: {shown} of {total} maps</source>
        <translation>{layer} 整流特征图：{shown} / {total}</translation>
    </message>
    <message>
        <source>{looked} of {count} seen</source>
        <translation>已查看 {looked}/{count}</translation>
    </message>
    <message>
        <source>{low} to {high}</source>
        <translation>{low} 到 {high}</translation>
    </message>
    <message>
        <source>{minutes} minutes ago</source>
        <translation>{minutes} 分钟前</translation>
    </message>
    <message>
        <source>{name} ({share})</source>
        <translation>{name}（{share}）</translation>
    </message>
    <message>
        <source>{name}: {value}</source>
        <translation>{name}：{value}</translation>
    </message>
    <message>
        <source>{number} of {count}</source>
        <translation>第 {number} 张，共 {count} 张</translation>
    </message>
    <message>
        <source>{number} of {count}: {name}</source>
        <translation>{number}/{count}：{name}</translation>
    </message>
    <message>
        <source>{promise} {reach}</source>
        <translation>{promise}{reach}</translation>
    </message>
    <message>
        <source>{rate} fps</source>
        <translation>{rate} 帧/秒</translation>
    </message>
    <message>
        <source>{reason} Until then “{model}” is used.</source>
        <translation>{reason}在此之前使用“{model}”。</translation>
    </message>
    <message>
        <source>{right} of {count} right ({share})</source>
        <translation>{count} 个中有 {right} 个正确（{share}）</translation>
    </message>
    <message>
        <source>{share} full</source>
        <translation>已用 {share}</translation>
    </message>
    <message>
        <source>{some} of {all}</source>
        <translation>{some} / {all}</translation>
    </message>
    <message>
        <source>{source}, from {moment}</source>
        <translation>{source}，始于 {moment}</translation>
    </message>
    <message>
        <source>{sure} shown as it, {unsure} unsure</source>
        <translation>显示为该组 {sure}，不确定 {unsure}</translation>
    </message>
    <message>
        <source>{time} or longer</source>
        <translation>{time} 以上</translation>
    </message>
    <message>
        <source>{time} paused</source>
        <translation>{time} 已暂停</translation>
    </message>
    <message>
        <source>“Expected” is the sum of the probabilities of all of them. The interval comes from the model&apos;s measured errors and assumes nothing about who was there. It does not cover light, blur or angles that are worse than in the pictures it was measured on, faces that were not found, or anyone who was counted twice.</source>
        <translation>“期望值”是全部结果的概率之和。区间由模型的实测误差得出，对在场人群不作任何假设。它不包括以下情况：光线、模糊或角度比测量所用图片更差，人脸未被找到，或有人被重复计数。</translation>
    </message>
    <message>
        <source>“{file}” has no output “{output}” but {names}</source>
        <translation>“{file}”没有名为“{output}”的输出，只有 {names}</translation>
    </message>
    <message>
        <source>“{name}” has several pages: only the first one is shown.</source>
        <translation>“{name}”包含多页：仅显示第一页。</translation>
    </message>
    <message>
        <source>“{name}” is among the models now.</source>
        <translation>“{name}”现已在模型列表中。</translation>
    </message>
    <message numerus="yes">
        <source>“{name}” is damaged: it lacks %n picture(s) and its last {seconds} seconds.</source>
        <translation>
            <numerusform>“{name}”已损坏：缺少 %n 帧画面以及最后 {seconds} 秒。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>“{name}” is damaged: it lacks %n picture(s).</source>
        <translation>
            <numerusform>“{name}”已损坏：缺少 %n 帧画面。</numerusform>
        </translation>
    </message>
    <message>
        <source>“{name}” is damaged: it lacks its last {seconds} seconds.</source>
        <translation>“{name}”已损坏：缺少最后 {seconds} 秒。</translation>
    </message>
    <message>
        <source>“{name}” is damaged: it plays up to the break ({reason}).</source>
        <translation>“{name}”已损坏：只能播放到损坏处（{reason}）。</translation>
    </message>
    <message>
        <source>“{name}” is damaged: only a part of it is shown.</source>
        <translation>“{name}”已损坏：仅显示部分内容。</translation>
    </message>
    <message>
        <source>“{name}” sends no more pictures. If that was too early, check the connection.</source>
        <translation>“{name}”不再发送图像。如果结束得过早，请检查连接。</translation>
    </message>
</context>
</TS>
